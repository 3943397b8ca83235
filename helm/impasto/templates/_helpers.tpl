{{- define "impasto.labels" -}}
app.kubernetes.io/name: impasto
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "impasto.meta" -}}
{{ include "impasto.labels" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "impasto.image" -}}
{{ .root.Values.image.registry }}{{ .image }}:{{ .root.Values.image.tag | default .root.Chart.AppVersion }}
{{- end }}

{{/* Secrets by reference, settings in clear; a change of either restarts the pods. */}}
{{- define "impasto.environment" -}}
envFrom:
  - configMapRef: { name: {{ .root.Release.Name }}-settings }
  - secretRef: { name: {{ required "secrets.existing: name a Secret with DATABASE_URL and the like" .root.Values.secrets.existing }} }
{{- end }}

{{- define "impasto.secure" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: { drop: [ALL] }
{{- end }}

{{- define "impasto.pod" -}}
serviceAccountName: {{ .root.Release.Name }}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  seccompProfile: { type: RuntimeDefault }
{{- with .root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- define "impasto.spread" -}}
{{- if .root.Values.topologySpread.enabled }}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: {{ .root.Values.topologySpread.key }}
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "impasto.labels" . | nindent 8 }}
{{- end }}
{{- end }}

{{- define "impasto.checksum" -}}
checksum/settings: {{ toJson .root.Values.settings | sha256sum }}
{{- end }}

{{- define "impasto.metrics" -}}
{{- if .root.Values.metrics.enabled }}
- { name: metrics, containerPort: {{ .root.Values.metrics.port }} }
{{- end }}
{{- end }}

{{/* A worker is ready once it serves, and lives while its heartbeat touches a file. */}}
{{- define "impasto.probes" -}}
startupProbe:
  exec: { command: [test, -f, /tmp/ready] }
  periodSeconds: 2
  failureThreshold: 150
readinessProbe:
  exec: { command: [test, -f, /tmp/ready] }
  periodSeconds: 5
livenessProbe:
  exec: { command: [sh, -c, 'test $(( $(date +%s) - $(stat -c %Y /tmp/alive) )) -lt 60'] }
  periodSeconds: 20
  timeoutSeconds: 5
{{- end }}

{{- define "impasto.marking.env" -}}
{{- $m := .root.Values.marking }}
{{- if $m.secret }}
- { name: IMPASTO_MARKING__CERTIFICATE, value: /etc/impasto/marking/tls.crt }
- { name: IMPASTO_MARKING__KEY, value: /etc/impasto/marking/tls.key }
{{- else if $m.signerUrl }}
- { name: IMPASTO_MARKING__SIGNER_URL, value: {{ $m.signerUrl | quote }} }
{{- else if $m.development }}
- { name: IMPASTO_MARKING__DEVELOPMENT, value: /tmp/marking }
{{- else }}
{{- fail "marking: name a secret with the certificate that signs outputs, a signerUrl, or say development: true" }}
{{- end }}
{{- end }}
