"""Holds the adapters and the local Azure against recorded Azure traffic: `./dev replay FOLDER`.

Each recorded exchange is read by the real adapters over a transport that answers what was recorded, compared with the
request the app would have sent, and sent to the local Azure after that was brought into the state that the recording
shows. What is compared is structure: status, codes, members, types, header names; never values.
"""
