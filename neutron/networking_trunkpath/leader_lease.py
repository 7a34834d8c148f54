"""Leader lease in Neutron's database: one API process at a time syncs status and reconciles.

The lease only saves work. Two holders at a time, as after a clock step, write nothing that one of them would not.
"""

import datetime
from typing import Any

import sqlalchemy as sa
from neutron_lib.db import api as db_api
from neutron_lib.db import model_base
from oslo_db import exception as db_exc
from oslo_utils import timeutils

# The holder renews the lease when half of this is left.
_DURATION_S = 20


class LeaseRow(model_base.BASEV2):
    """The last holder of a lease; `expires_at` is in UTC."""

    __tablename__ = "trunkpath_leases"

    name = sa.Column(sa.String(64), primary_key=True)
    holder = sa.Column(sa.String(64), nullable=False)
    expires_at = sa.Column(sa.DateTime, nullable=False)


@db_api.retry_if_session_inactive()
def acquire(context: Any, name: str, holder: str) -> bool:
    """Acquires a free or expired lease, or renews one that `holder` has; false while another holder has it."""
    now = timeutils.utcnow()
    expires_at = now + datetime.timedelta(seconds=_DURATION_S)
    with db_api.CONTEXT_READER.using(context):
        row = context.session.get(LeaseRow, name, populate_existing=True)
        held_by, held_until = (row.holder, row.expires_at) if row else (None, now)
    if held_by == holder and held_until > now + datetime.timedelta(seconds=_DURATION_S / 2):
        return True
    if held_by not in (None, holder) and held_until > now:
        return False
    try:
        with db_api.CONTEXT_WRITER.using(context):
            if held_by is None:
                row = {"name": name, "holder": holder, "expires_at": expires_at}
                context.session.execute(sa.insert(LeaseRow).values(**row))
                return True
            # Compare-and-set: no row matches if another process has acquired the lease since the read.
            update = sa.update(LeaseRow).where(
                LeaseRow.name == name, LeaseRow.holder == held_by, LeaseRow.expires_at == held_until
            )
            update = update.execution_options(synchronize_session=False)
            return context.session.execute(update.values(holder=holder, expires_at=expires_at)).rowcount == 1
    except db_exc.DBDuplicateEntry:
        return False
