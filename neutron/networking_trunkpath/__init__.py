"""Neutron drivers of trunkpath: ML2 mechanism driver and trunk driver.

Modules, in the order of a change:

    mech_driver, trunk_driver   insert journal entries in Neutron's own transaction
    journal                     stores the entries until the northbound DB has the change
    background                  runs two threads in each API process: journal worker and status sync
    journal_worker              processes the pending entries
      record_writer             ... makes northbound records equal to Neutron's, in optimistic transactions
      neutron_reader, records   ... reads Neutron's tables as Dragonflow's records
      store                     ... accesses the northbound DB in etcd or redis
    leader_lease                selects the API process whose status sync is active
      sync_status               ... sets the status of ports and trunks from the reports of the hosts
      reconcile                 ... inserts an entry for each difference between the two DBs
    sync_command                trunkpath-neutron-sync, the same comparison on demand
"""
