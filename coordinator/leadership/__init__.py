"""Which of several coordinators leads: the one that holds a Lease of coordination.k8s.io/v1.

lease     what the Lease says, what to write into it, and when it is free (pure)
tenure    until when this process may write, by its own clock
owner     the account with which the Lease goes
election  becoming the leader, staying it, and letting go

Nobody's clock is compared with anybody else's: each measures for how long a Lease has not changed before its eyes.
"""
