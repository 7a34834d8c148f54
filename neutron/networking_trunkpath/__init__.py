"""Neutron drivers of trunkpath: ML2 mechanism driver, trunk driver, and interface driver of Neutron's agents.

Modules, in the order of a change:

    mech_driver, trunk_driver, security_groups
                                insert journal entries in Neutron's own transaction
    journal                     stores the entries until the northbound DB has the change
    background                  runs two threads in each API process: journal worker and status sync
    journal_worker              processes the pending entries
      record_writer             ... makes northbound records equal to Neutron's, in optimistic transactions
      neutron_reader, records   ... reads Neutron's tables as Dragonflow's records
      store                     ... accesses the northbound DB in etcd or redis
    leader_lease                selects the API process whose status sync is active
      hosts                     ... copies the reports of the hosts to Neutron's table of agents
      sync_status               ... sets the status of ports and trunks from the reports of the hosts
      reconcile                 ... inserts an entry for each difference between the two DBs
    binding                     decides which ports can be bound on which host, from the table of agents
    interface_driver            plugs the ports of Neutron's DHCP, L3 and metadata agents, in the agents' processes
    sync_command                trunkpath-neutron-sync, the same comparison on demand
"""
