"""`python -m infra.words` updates `zh.po`: adds new messages, drops old ones."""

import sys

from infra.words import CHINESE
from infra.words.book import missing, update
from infra.words.messages import all_messages

messages = all_messages()
update(CHINESE, messages)
untranslated = missing(CHINESE, messages)
for message in untranslated:
    print(f"{message.place}: {message.text}")
print(f"{len(messages)} messages, {len(untranslated)} without a translation")
sys.exit(1 if untranslated else 0)
