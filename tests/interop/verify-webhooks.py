"""Verifies one request of {secret, headers, body} with PyPI's standardwebhooks."""

import json
import sys

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

asked = json.loads(sys.argv[1])
try:
    Webhook(asked["secret"]).verify(asked["body"], asked["headers"])
    print("true")
except WebhookVerificationError:
    print("false")
