"""Offers a Runner to others: to clients of a server, and to the machines of a cluster.

server   requests in, label maps out
ray      batches of Ray Data in, the same with label maps out
"""
