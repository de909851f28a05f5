#   The same as far as ZPL can say it, and as it is written by hand.
version = 1.1
apps
    quotes
        context
            iothreads = 2
            verbose = 1     # tell more
        devices
            main
                type = zmq_forwarder
                sockets
                    frontend
                        type = SUB
                        option
                            hwm = 1000
                            swap = 25000000
                            subscribe = "10001"
                            subscribe = '10002'
                            recovery_ivl = 10
                            mcast_loop = 0
                        bind = tcp://*:5555
                        bind = inproc://quotes
                    backend
                        bind = tcp://*:5556
            requests
                type = zmq_queue
                sockets
                    left
                        type = xrep
                        bind = tcp://*:5557
                    right
                        type = xreq
                        connect = tcp://127.0.0.1:5560
                        option
                            identity = q
                            sndbuf = 65536
                            lingr = 0
    main
        devices
            main
                type = zmq_streamer
                sockets
                    frontend
                        bind = ipc://in
                    backend
                        type = PUSH
                        bind = "ipc://out"
                        option
                            rate = 100
                            affinity = 1
    worker.1
        devices
            loop
                type = worker
                note = "by hand"
                sockets
                    work
                        type = REP
                        bind = tcp://127.0.0.1:5560
                    seen
                        type = sub
                        connect = tcp://127.0.0.1:5556
                        option
                            subscribe = ""
            inner
                type = zmq_queue
                sockets
                    frontend
                        type = router
                        bind = tcp://*:5570
                    backend
                        type = dealer
                        bind = inproc://w
    idle
