// Two signatures: the one on our links is checked, the one for the bucket is made.

import crypto from 'crypto';

const UNSIGNED = 'UNSIGNED-PAYLOAD';
const SIGNED_HEADERS = 'host;x-amz-content-sha256;x-amz-date';

function hmac(key, text) {
    return crypto.createHmac('sha256', key).update(text);
}

// Equal lengths take equal time, wherever the texts differ.
function same(one, other) {
    let difference = one.length ^ other.length;
    for (let i = 0; i < Math.min(one.length, other.length); i++) {
        difference |= one.charCodeAt(i) ^ other.charCodeAt(i);
    }
    return difference === 0;
}

// 'open', 'expired' or 'forged'. The signed text is what app/signing.py signs: path, newline,
// expiry. An empty key opens nothing.
function link(r) {
    const key = process.env.IMPASTO_LINK_KEY;
    const expires = r.args.expires;
    const signature = r.args.signature;
    if (!key || typeof signature !== 'string' || !/^[0-9]{1,12}$/.test(expires)) {
        return 'forged';
    }
    const expected = hmac(key, `${r.uri}\n${expires}`).digest('base64url');
    if (!same(expected, signature)) {
        return 'forged';
    }
    return Date.now() / 1000 < Number(expires) ? 'open' : 'expired';
}

// 20261122T101112Z
function date() {
    return new Date().toISOString().replace(/[-:]|\.[0-9]+/g, '');
}

// AWS Signature Version 4 of a GET without query or body.
function authorization(r) {
    const time = r.variables.s3_date;
    const region = process.env.AWS_REGION || 'us-east-1';
    const scope = `${time.slice(0, 8)}/${region}/s3/aws4_request`;
    const request = [
        'GET', r.variables.s3_path, '',
        `host:${r.variables.s3_host}`, `x-amz-content-sha256:${UNSIGNED}`, `x-amz-date:${time}`, '',
        SIGNED_HEADERS, UNSIGNED,
    ].join('\n');
    const digest = crypto.createHash('sha256').update(request).digest('hex');
    const key = scope.split('/').reduce(
        (secret, part) => hmac(secret, part).digest(),
        `AWS4${process.env.AWS_SECRET_ACCESS_KEY}`
    );
    const signature = hmac(key, `AWS4-HMAC-SHA256\n${time}\n${scope}\n${digest}`).digest('hex');
    return `AWS4-HMAC-SHA256 Credential=${process.env.AWS_ACCESS_KEY_ID}/${scope}, ` +
        `SignedHeaders=${SIGNED_HEADERS}, Signature=${signature}`;
}

export default { link, date, authorization };
