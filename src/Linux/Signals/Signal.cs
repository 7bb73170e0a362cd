namespace DynaTrans.Linux.Signals;

/// <summary>Signal numbers and sets. A set is a 64-bit word with signal N at bit N - 1.</summary>
public static class Signal
{
    /// <summary>The highest signal number.</summary>
    public const int Count = 64;

    /// <summary>The first real-time signal: several of one may be pending, each with its information.</summary>
    public const int FirstRealTime = 32;

    /// <summary>SIGHUP.</summary>
    public const int Hup = 1;

    /// <summary>SIGINT.</summary>
    public const int Int = 2;

    /// <summary>SIGQUIT.</summary>
    public const int Quit = 3;

    /// <summary>SIGILL.</summary>
    public const int Ill = 4;

    /// <summary>SIGTRAP.</summary>
    public const int Trap = 5;

    /// <summary>SIGABRT.</summary>
    public const int Abrt = 6;

    /// <summary>SIGBUS.</summary>
    public const int Bus = 7;

    /// <summary>SIGFPE.</summary>
    public const int Fpe = 8;

    /// <summary>SIGKILL.</summary>
    public const int Kill = 9;

    /// <summary>SIGUSR1.</summary>
    public const int Usr1 = 10;

    /// <summary>SIGSEGV.</summary>
    public const int Segv = 11;

    /// <summary>SIGUSR2.</summary>
    public const int Usr2 = 12;

    /// <summary>SIGPIPE.</summary>
    public const int Pipe = 13;

    /// <summary>SIGALRM.</summary>
    public const int Alrm = 14;

    /// <summary>SIGTERM.</summary>
    public const int Term = 15;

    /// <summary>SIGSTKFLT.</summary>
    public const int Stkflt = 16;

    /// <summary>SIGCHLD.</summary>
    public const int Chld = 17;

    /// <summary>SIGCONT.</summary>
    public const int Cont = 18;

    /// <summary>SIGSTOP.</summary>
    public const int Stop = 19;

    /// <summary>SIGTSTP.</summary>
    public const int Tstp = 20;

    /// <summary>SIGTTIN.</summary>
    public const int Ttin = 21;

    /// <summary>SIGTTOU.</summary>
    public const int Ttou = 22;

    /// <summary>SIGURG.</summary>
    public const int Urg = 23;

    /// <summary>SIGXCPU.</summary>
    public const int Xcpu = 24;

    /// <summary>SIGXFSZ.</summary>
    public const int Xfsz = 25;

    /// <summary>SIGVTALRM.</summary>
    public const int Vtalrm = 26;

    /// <summary>SIGPROF.</summary>
    public const int Prof = 27;

    /// <summary>SIGWINCH.</summary>
    public const int Winch = 28;

    /// <summary>SIGIO.</summary>
    public const int Io = 29;

    /// <summary>SIGPWR.</summary>
    public const int Pwr = 30;

    /// <summary>SIGSYS.</summary>
    public const int Sys = 31;

    /// <summary>Signals that cannot be blocked, caught or ignored.</summary>
    public static readonly ulong Unblockable = Bit(Kill) | Bit(Stop);

    /// <summary>The set of one signal.</summary>
    public static ulong Bit(int signal) => 1UL << (signal - 1);

    /// <summary>True for 1..64.</summary>
    public static bool IsValid(int signal) => signal is >= 1 and <= Count;

    /// <summary>"SIGSEGV" and the like.</summary>
    public static string Name(int signal) => signal switch
    {
        1 => "SIGHUP",
        2 => "SIGINT",
        3 => "SIGQUIT",
        4 => "SIGILL",
        5 => "SIGTRAP",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        10 => "SIGUSR1",
        11 => "SIGSEGV",
        12 => "SIGUSR2",
        13 => "SIGPIPE",
        14 => "SIGALRM",
        15 => "SIGTERM",
        16 => "SIGSTKFLT",
        17 => "SIGCHLD",
        18 => "SIGCONT",
        19 => "SIGSTOP",
        20 => "SIGTSTP",
        21 => "SIGTTIN",
        22 => "SIGTTOU",
        23 => "SIGURG",
        24 => "SIGXCPU",
        25 => "SIGXFSZ",
        26 => "SIGVTALRM",
        27 => "SIGPROF",
        28 => "SIGWINCH",
        29 => "SIGIO",
        30 => "SIGPWR",
        31 => "SIGSYS",
        >= FirstRealTime and <= Count => signal < 34 ? $"SIG{signal}" : $"SIGRTMIN+{signal - 34}",
        _ => $"signal {signal}",
    };

    /// <summary>The default action of a signal (signal(7)).</summary>
    public static DefaultAction DefaultOf(int signal) => signal switch
    {
        Chld or Urg or Winch => DefaultAction.Ignore,
        Cont => DefaultAction.Continue,
        Stop or Tstp or Ttin or Ttou => DefaultAction.Stop,
        Quit or Ill or Trap or Abrt or Bus or Fpe or Segv or Xcpu or Xfsz or Sys => DefaultAction.Core,
        _ => DefaultAction.Terminate,
    };
}

/// <summary>What a signal does when there is no handler.</summary>
public enum DefaultAction
{
    /// <summary>Ends the process.</summary>
    Terminate,

    /// <summary>Ends the process and says that a core was dumped (none is written).</summary>
    Core,

    /// <summary>Nothing.</summary>
    Ignore,

    /// <summary>Stops the process.</summary>
    Stop,

    /// <summary>Continues the process if it is stopped.</summary>
    Continue,
}
