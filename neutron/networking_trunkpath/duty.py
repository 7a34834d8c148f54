"""Who of all API processes watches the hosts and reconciles: one at a time, so that the others need not.

It only saves work. When two do it for a moment, as when clocks differ, nothing is done that one of them would not do.
"""

import datetime
from typing import Any

import sqlalchemy as sa
from neutron_lib.db import api as db_api
from neutron_lib.db import model_base
from oslo_db import exception as db_exc
from oslo_utils import timeutils

# Seconds for which a process holds the duty. It renews it at half of that.
_TERM = 20


class DutyRow(model_base.BASEV2):
    """Who holds a duty, until when in UTC."""

    __tablename__ = "trunkpath_duties"

    name = sa.Column(sa.String(64), primary_key=True)
    holder = sa.Column(sa.String(64), nullable=False)
    until = sa.Column(sa.DateTime, nullable=False)


@db_api.retry_if_session_inactive()
def is_ours(context: Any, name: str, holder: str) -> bool:
    """Takes or keeps the duty if nobody else holds it, and says whether it is ours."""
    now = timeutils.utcnow()
    until = now + datetime.timedelta(seconds=_TERM)
    with db_api.CONTEXT_READER.using(context):
        row = context.session.get(DutyRow, name, populate_existing=True)
        held_by, held_until = (row.holder, row.until) if row else (None, now)
    if held_by == holder and held_until > now + datetime.timedelta(seconds=_TERM / 2):
        return True
    if held_by not in (None, holder) and held_until > now:
        return False
    try:
        with db_api.CONTEXT_WRITER.using(context):
            if held_by is None:
                context.session.execute(sa.insert(DutyRow).values(name=name, holder=holder, until=until))
                return True
            # Only if nobody was faster.
            mine = sa.update(DutyRow).where(
                DutyRow.name == name, DutyRow.holder == held_by, DutyRow.until == held_until
            )
            mine = mine.execution_options(synchronize_session=False)
            return context.session.execute(mine.values(holder=holder, until=until)).rowcount == 1
    except db_exc.DBDuplicateEntry:
        return False
