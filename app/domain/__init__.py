"""What Impasto is about, without any machinery: statuses, parameters, events, costs."""
