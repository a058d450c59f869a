"""The model of the broker: standard library only, no kombu, no drawing, no threads.

    errors, clock            know nothing
    model                    values: messages, bindings, options with every x-argument parsed
    routing, queues,         one exchange, one queue, one channel, one line of the log, one picture of the
    sessions, history,       state: none of them knows the time, takes a lock or sees another broker
    snapshot, replay, depth
    topology                 which exchanges, queues and bindings there are, and where a message goes
    core                     Engine: the verbs, the one lock, the heap of deadlines
"""
