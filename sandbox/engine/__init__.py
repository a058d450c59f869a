"""The model of the broker: standard library only, no kombu, no drawing, no threads.

Its modules, each standing on those before it:

    errors, clock                 what is refused; what time it is
    model, events                 values: messages, bindings, options with every x-argument parsed; moves
    routing, queues, sessions,    one exchange; one queue; one channel with what it holds;
    topology                      which of them there are, and where a message goes
    deadlines                     what falls due
    deadletter                    what a message looks like that died
    ledger, snapshot, depth       pictures of the state
    replay, history               from events to the state; everything that happened
    copies, moves                 everything that can happen, done and recorded
    repair                        after an interrupt
    guard                         the one lock, and the way every verb goes
    declaring, replyto,           the verbs
    publishing, receiving
    core                          Engine: all of it

None but clock knows the time; none but guard, and core where it waits, takes the lock.
"""
