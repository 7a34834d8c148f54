"""Neutron's side of trunkpath.

A change takes this way:

    mech_driver, trunk_driver   mark in Neutron's own transaction what it touches
    journal                     keeps the marks until the northbound DB has it
    worker                      wakes after the commit, in every API process
    drain                       reads both DBs and makes the northbound record what Neutron says now
      truth, records            ... what Neutron says, as Dragonflow's records
      store                     ... the northbound DB, in etcd or redis
    status                      tells Neutron which ports forward, from what the hosts report
    reconcile                   marks everything in which the two DBs differ
"""
