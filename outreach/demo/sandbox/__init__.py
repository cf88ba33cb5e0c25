"""Real servers on loopback that stand in for the providers: SMTP, Twilio's API, the SMS platform's gateway.

Each is a process of its own (``python -m outreach.demo.sandbox smtp|twilio|gateway``) with counts on disk, so
that killing any process at any point loses none of what was received.
"""
