"""Azure Event Grid: key events to the subscriptions of a vault, and the topic that takes CrossKey's notifications."""
