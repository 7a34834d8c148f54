"""Inserts a journal entry for each security group that a request changes.

ML2 does not call mechanism drivers for security groups; Neutron publishes events for them.
"""

from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
from neutron.db.models.securitygroup import SecurityGroup, SecurityGroupRule
from neutron_lib.callbacks import events, registry, resources
from neutron_lib.db import api as db_api

from networking_trunkpath import journal, records
from networking_trunkpath.journal import JournalEntry
from networking_trunkpath.store import Key


class SecurityGroupSubscriber:
    """Subscriber to the events of security groups, their rules, and address groups."""

    def __init__(self, wake_journal_worker: Callable[[], None]) -> None:
        """`wake_journal_worker` is called after each commit with journal entries."""
        self._wake_journal_worker = wake_journal_worker

    def subscribe(self) -> None:
        """Called once, when ML2 initializes the mechanism driver."""
        for resource, receiver, moments in (
            (resources.SECURITY_GROUP, self._insert_group, (events.PRECOMMIT_CREATE, events.PRECOMMIT_UPDATE)),
            # Not BEFORE_DELETE, after which other subscribers may still reject the request.
            (resources.SECURITY_GROUP, self._insert_deleted_group, (events.PRECOMMIT_DELETE,)),
            (resources.SECURITY_GROUP, self._wake, (events.AFTER_CREATE, events.AFTER_UPDATE, events.AFTER_DELETE)),
            (resources.SECURITY_GROUP_RULE, self._insert_group_of_new_rule, (events.PRECOMMIT_CREATE,)),
            (resources.SECURITY_GROUP_RULE, self._insert_group_of_deleted_rule, (events.PRECOMMIT_DELETE,)),
            (resources.SECURITY_GROUP_RULE, self._wake, (events.AFTER_CREATE, events.AFTER_DELETE)),
            # No rule refers to an address group when it is created, nor when it is deleted.
            (resources.ADDRESS_GROUP, self._insert_groups_with_addresses, (events.AFTER_UPDATE,)),
        ):
            for moment in moments:
                registry.subscribe(receiver, resource, moment)

    def _insert_group(self, resource: str, event: str, trigger: Any, payload: Any) -> None:
        _insert_entries(payload.context, SecurityGroup.id == payload.resource_id)

    def _insert_deleted_group(self, resource: str, event: str, trigger: Any, payload: Any) -> None:
        """Includes the groups with rules for this remote group: Neutron deletes these rules without an event."""
        referring = _groups_with_rules(SecurityGroupRule.remote_group_id == payload.resource_id)
        _insert_entries(payload.context, sa.or_(SecurityGroup.id == payload.resource_id, referring))

    def _insert_group_of_new_rule(self, resource: str, event: str, trigger: Any, payload: Any) -> None:
        _insert_entries(payload.context, SecurityGroup.id == payload.latest_state["security_group_id"])

    def _insert_group_of_deleted_rule(self, resource: str, event: str, trigger: Any, payload: Any) -> None:
        _insert_entries(payload.context, SecurityGroup.id == payload.metadata["security_group_id"])

    def _insert_groups_with_addresses(self, resource: str, event: str, trigger: Any, payload: Any) -> None:
        """Neutron has no event in the transactions of an address group. If this fails, reconcile finds the difference.

        The entries are inserted after the change, so the journal worker reads it.
        """
        referring = _groups_with_rules(SecurityGroupRule.remote_address_group_id == payload.resource_id)
        _insert_entries(payload.context, referring)
        self._wake_journal_worker()

    def _wake(self, resource: str, event: str, trigger: Any, payload: Any) -> None:
        self._wake_journal_worker()


def _groups_with_rules(condition: Any) -> Any:
    return SecurityGroup.id.in_(sa.select(SecurityGroupRule.security_group_id).where(condition))


@db_api.retry_if_session_inactive()
def _insert_entries(context: Any, condition: Any) -> None:
    """Inserts an entry for each record of each group that meets the condition.

    The project is the group's; that of a rule may be another one.
    """
    query = sa.select(SecurityGroup.project_id, SecurityGroup.id).where(condition)
    with db_api.CONTEXT_WRITER.using(context):
        journal.insert(
            context,
            [
                JournalEntry(Key(table, project or "", group), group)
                for project, group in context.session.execute(query)
                for table in (records.STATELESS_SECGROUP, records.SECGROUP)
            ],
        )
