"""Messages to workers: after the commit, by name and ids, and never at the price of a page."""

from __future__ import annotations

import json
import time

import pytest
from django.db import transaction

from webapp import dispatch


@pytest.mark.django_db(transaction=True)
def test_a_message_leaves_after_the_commit_and_not_at_all_after_a_rollback(dispatched):
    with transaction.atomic():
        dispatch.dispatch("workers.advance", 7)
        assert dispatched == []
    assert dispatched == [("workers.advance", 7)]
    with transaction.atomic():
        dispatch.dispatch("workers.advance", 8)
        transaction.set_rollback(True)
    assert dispatched == [("workers.advance", 7)]


def test_a_dead_broker_costs_a_warning_and_little_time(settings, caplog):
    dispatch._producer.cache_clear()
    settings.CELERY_BROKER_URL = "redis://127.0.0.1:9/0"  # the discard port: nobody listens
    start = time.monotonic()
    assert dispatch.publish("workers.advance", 7) is False
    assert time.monotonic() - start < 20
    assert "did not take workers.advance(7,)" in caplog.text
    dispatch._producer.cache_clear()


def test_what_is_sent_is_the_task_s_name_and_ids_as_json(settings):
    dispatch._producer.cache_clear()
    settings.CELERY_BROKER_URL = "memory://"
    assert dispatch.publish("workers.advance", 7) is True
    app = dispatch._producer()
    with app.connection() as connection:
        message = connection.default_channel.basic_get(settings.CELERY_TASK_DEFAULT_QUEUE, no_ack=True)
    assert message.headers["task"] == "workers.advance"
    assert message.content_type == "application/json"
    assert json.loads(message.body)[:2] == [[7], {}]
    dispatch._producer.cache_clear()
