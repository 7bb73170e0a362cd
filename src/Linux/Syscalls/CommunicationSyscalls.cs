namespace DynaTrans.Linux.Syscalls;

/// <summary>Enters the socket and polling calls into the tables.</summary>
internal static unsafe class CommunicationSyscalls
{
    public static void Register(SyscallTable t)
    {
        t.Add("socketcall", &Sockets.SocketCall, "dp", 102);
        t.Add("socket", &Sockets.Socket, "dxd", 359, 41);
        t.Add("socketpair", &Sockets.SocketPair, "dxdp", 360, 53);
        t.Add("bind", &Sockets.Bind, "fpu", 361, 49);
        t.Add("connect", &Sockets.Connect, "fpu", 362, 42);
        t.Add("listen", &Sockets.Listen, "fd", 363, 50);
        t.Add("accept", &Sockets.Accept, "fpp", -1, 43);
        t.Add("accept4", &Sockets.Accept4, "fppx", 364, 288);
        t.Add("getsockopt", &Sockets.GetOption, "fddpp", 365, 55);
        t.Add("setsockopt", &Sockets.SetOption, "fddpu", 366, 54);
        t.Add("getsockname", &Sockets.GetName, "fpp", 367, 51);
        t.Add("getpeername", &Sockets.GetPeer, "fpp", 368, 52);
        t.Add("sendto", &SocketMessages.SendTo, "fbuxpu", 369, 44);
        t.Add("sendmsg", &SocketMessages.SendMessage, "fpx", 370, 46);
        t.Add("recvfrom", &SocketMessages.ReceiveFrom, "fpuxpp", 371, 45);
        t.Add("recvmsg", &SocketMessages.ReceiveMessage, "fpx", 372, 47);
        t.Add("shutdown", &Sockets.Shutdown, "fd", 373, 48);
        t.Add("sendmmsg", &SocketMessages.SendMessages, "fpux", 345, 307);
        t.Add("recvmmsg", &SocketMessages.ReceiveMessages, "fpuxp", 337, 299);
        t.Add("recvmmsg_time64", &SocketMessages.ReceiveMessages64, "fpuxp", 417);

        t.Add("poll", &Polling.Poll, "pud", 168, 7);
        t.Add("ppoll", &Polling.Ppoll, "puppu", 309, 271);
        t.Add("ppoll_time64", &Polling.Ppoll64, "puppu", 414);
        t.Add("select", &Polling.OldSelect, "p", 82);
        t.Add("_newselect", &Polling.Select, "dpppp", 142);
        t.Add("select", &Polling.Select, "dpppp", -1, 23);
        t.Add("pselect6", &Polling.Pselect, "dppppp", 308, 270);
        t.Add("pselect6_time64", &Polling.Pselect64, "dppppp", 413);
        t.Add("epoll_create", &Polling.EpollCreate, "d", 254, 213);
        t.Add("epoll_create1", &Polling.EpollCreate1, "x", 329, 291);
        t.Add("epoll_ctl", &Polling.EpollControl, "fdfp", 255, 233);
        t.Add("epoll_wait", &Polling.EpollWait, "fpdd", 256, 232);
        t.Add("epoll_pwait", &Polling.EpollPwait, "fpddpu", 319, 281);
        t.Add("epoll_pwait2", &Polling.EpollPwait2, "fpdppu", 441, 441);
    }
}
