"""A server of the Tinker protocol on torch: what trains and samples when no hosted service is used.

Knows torch, HTTP and the SDK's wire types. Knows nothing of people, e-mails or methods; nobody imports it but
`cli`, `pocket` and tests, which start it as a process and then know a URL only.
"""
