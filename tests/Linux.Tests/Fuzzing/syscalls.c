// Makes system calls with arguments at the edges: bad and half-good pointers, -1, huge lengths, open and closed descriptors, paths of every
// kind. A guest: what is tested is the process that runs it, which must neither die nor hang. Free-standing, for both architectures:
//
//     gcc -O1 -static -nostdlib -ffreestanding -fno-stack-protector -fno-pic -no-pie [-m32] [-DINT80] syscalls.c
//     a.out SEED FIRST COUNT
//
// Call number I depends on SEED and I only, so "SEED I 1" makes it again (without the state that the calls before it left). The calls are
// made by a child; when one ends or stops it, and every few hundred calls (few of its descriptors may be open by then), another one goes on.

typedef unsigned char u8;
typedef unsigned u32;
typedef unsigned long word;

#ifdef __x86_64__
enum { READ = 0, WRITE = 1, OPEN = 2, CLOSE = 3, MMAP = 9, MPROTECT = 10, SIGACTION = 13, SIGPROCMASK = 14, PIPE = 22, DUP2 = 33, NANOSLEEP = 35,
       SETITIMER = 38, GETPID = 39, SOCKET = 41, LISTEN = 50, SOCKETPAIR = 53, FORK = 57, EXIT = 231, WAIT4 = 61, KILL = 62, CHDIR = 80, MKDIR = 83,
       EPOLL_CREATE = 213, TIMERFD = 283, EVENTFD = 284, INOTIFY = 253, MEMFD = 319, SETSID = 112, GETPPID = 110 };
#else
enum { READ = 3, WRITE = 4, OPEN = 5, CLOSE = 6, MMAP = 192, MPROTECT = 125, SIGACTION = 174, SIGPROCMASK = 175, PIPE = 42, DUP2 = 63,
       NANOSLEEP = 162, SETITIMER = 104, GETPID = 20, SOCKET = 359, LISTEN = 363, SOCKETPAIR = 360, FORK = 2, EXIT = 252, WAIT4 = 114, KILL = 37,
       CHDIR = 12, MKDIR = 39, EPOLL_CREATE = 254, TIMERFD = 322, EVENTFD = 323, INOTIFY = 291, MEMFD = 356, SETSID = 66, GETPPID = 64 };
#endif

__attribute__((unused)) static long int80(word n, word a, word b, word c, word d, word e, word f) {
    long r;
#ifdef __x86_64__
    __asm__ volatile("push %%rbp\n\tmov %%r9, %%rbp\n\tint $0x80\n\tpop %%rbp"
                     : "=a"(r) : "a"(n), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), "r"(f) : "memory", "r8", "r10", "r11");
#else
    word x[2] = { a, f };
    __asm__ volatile("push %%ebp\n\tpush %%ebx\n\tmov 4(%%ebx), %%ebp\n\tmov (%%ebx), %%ebx\n\tint $0x80\n\tpop %%ebx\n\tpop %%ebp"
                     : "=a"(r) : "a"(n), "b"(x), "c"(b), "d"(c), "S"(d), "D"(e) : "memory");
#endif
    return r;
}

static long call(word n, word a, word b, word c, word d, word e, word f) {
#ifdef __x86_64__
    long r;
    register word r10 __asm__("r10") = d, r8 __asm__("r8") = e, r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9) : "rcx", "r11", "memory");
    return r;
#else
    return int80(n, a, b, c, d, e, f);
#endif
}

#define sys(n, a, b, c) call(n, (word)(a), (word)(b), (word)(c), 0, 0, 0)

#if defined __x86_64__ && !defined INT80
#define probe call
#define ABI "x86-64 syscall"
static const short excluded[] = { 15, 34, 56, 58, 60, 130, 231, 435 };          // rt_sigreturn, pause, clone, vfork, exit, rt_sigsuspend, exit_group, clone3
static const short killers[] = { 62, 200, 234, 129, 297 };                      // kill, tkill, tgkill, rt_sigqueueinfo, rt_tgsigqueueinfo
static const u8 signal_at[] = { 1, 1, 2, 1, 2 };
enum { PRLIMIT = 302, PROBE_FORK = 57 };
#else
#define probe int80
#ifdef INT80
#define ABI "x86-64 int 0x80"
#else
#define ABI "i386"
#endif
static const short excluded[] = { 1, 29, 72, 119, 120, 173, 179, 190, 252, 435 }; // exit, pause, sigsuspend, sigreturn, clone, rt_sigreturn, rt_sigsuspend, vfork, exit_group, clone3
static const short killers[] = { 37, 238, 270, 178, 335 };
static const u8 signal_at[] = { 1, 1, 2, 1, 2 };
enum { PRLIMIT = 340, PROBE_FORK = 2 };
#endif
#define COUNT(x) (sizeof(x) / sizeof *(x))
enum { NUMBERS = 463, PAGE = 4096, BUFFER = 1 << 16, TICK = 3000, PATIENCE = 200, EACH = 250 };

static volatile u32 *shared;    // the call that is being made
static u8 *buffer, *readable, *last;
static u32 state;
static word host, self;

static u32 next(void) {
    state ^= state << 13;
    state ^= state >> 17;
    return state ^= state << 5;
}

static u32 below(u32 n) { return (u32)((next() >> 8) % n); }

static void seed_for(u32 seed, u32 index) {
    u32 h = seed * 0x9E3779B1u ^ index;
    h = (h ^ h >> 16) * 0x85EBCA6Bu;
    h = (h ^ h >> 13) * 0xC2B2AE35u;
    state = (h ^ h >> 16) | 1;
}

static const char *const paths[] = { "", ".", "a", "b", "b/a", "b/..", "./a/", "/proc/self/mem", "/proc/self/maps", "/proc/self/fd/4", "/proc/self/exe",
    "/proc/self/cwd/a", "/proc/1/mem", "/dev/null", "/dev/zero", "/dev/fd/5", "/nonexistent/x", "user.x", "security.capability", "fifo", "/" };

static word edge(void) {
    static const word values[] = { 0, 1, 2, 3, 7, 8, 16, 24, 64, 100, 255, 511, 1024, 4095, 4096, 4097, 65535, 65536, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF,
        0x1000000, 0x40000000, 0x7FFFF000, -1L, -2L, -100L, -4096L, (word)1 << (sizeof(word) * 8 - 1), ~(word)0 >> 1, (word)-1 << 12, 0xFFFF8000u };
    return values[below(COUNT(values))];
}

static word argument(void) {
    switch (below(16)) {
    case 0: case 1: return edge();
    case 2: case 3: return below(24);                                           // a descriptor, or a small number
    case 4: case 5: return (word)(buffer + (below(BUFFER / 2) & ~7u));
    case 6: return (word)(buffer + below(BUFFER));
    case 7: return (word)paths[below(COUNT(paths))];
    case 8: return (word)(last - below(64));                                    // runs into a page that is not there
    case 9: return (word)readable;
    case 10: return (word)(last + below(2 * PAGE));
    case 11: return (word)next() << (below(2) * (sizeof(word) * 4));
    case 12: return self;
    case 13: return below(4) ? 1u << below(32) : host + below(64);
    case 14: return (word)(buffer + below(BUFFER / 4096) * 4096);
    default: return below(300);
    }
}

static word pointer(void) {
    return below(8) ? (word)(buffer + (below(BUFFER / 2) & ~7u)) : argument();
}

static word small(void) {
    return below(6) ? (below(3) ? below(32) : 1u << below(20)) : edge();
}

// Six arguments of which the first ones look like those of many calls, so that more than the first check is reached.
static void choose(word *a) {
    for (int i = 0; i < 6; i++)
        a[i] = argument();
    switch (below(6)) {
    case 0:                                                                     // (descriptor, buffer, length, ...)
        a[0] = 3 + below(16), a[1] = pointer(), a[2] = small(), a[3] = below(2) ? pointer() : small();
        break;
    case 1:                                                                     // (path, buffer or flags, mode, ...)
        a[0] = (word)paths[below(COUNT(paths))], a[1] = below(2) ? pointer() : small(), a[2] = below(2) ? pointer() : small();
        break;
    case 2:                                                                     // (buffer, length, flags, ...)
        a[0] = pointer(), a[1] = below(2) ? pointer() : small(), a[2] = small();
        break;
    case 3: {                                                                   // (descriptor, command, argument)
        static const u32 commands[] = { 0, 1024, 0x5400, 0x5440, 0x8900, 0x8910, 0x8930, 0x1260 };
        a[0] = 3 + below(16), a[1] = commands[below(COUNT(commands))] + below(48), a[2] = below(2) ? pointer() : small();
        break;
    }
    case 4:                                                                     // (directory, path, ...)
        a[0] = below(2) ? (word)-100L : 4, a[1] = (word)paths[below(COUNT(paths))], a[2] = below(2) ? pointer() : small(), a[3] = small();
        break;
    }
}

// Structures full of edges: numbers, pointers into the buffer, descriptors.
static void fill(void) {
    for (u32 i = 0; i < 96; i++) {
        u32 at = below(BUFFER / sizeof(word) - 8);
        word *w = (word *)buffer + at;
        for (u32 k = below(8) + 1; k; k--)
            *w++ = below(3) ? argument() : (word)below(16);
    }
}

static int contains(const short *list, u32 count, u32 n) {
    for (u32 i = 0; i < count; i++)
        if ((u32)list[i] == n)
            return (int)i;
    return -1;
}

static void one(u32 seed, u32 index) {
    static const short harmless[] = { 0, 17, 18, 23, 28, 65, -1, 1000 };
    seed_for(seed, index);
    u32 n = below(64) ? below(NUMBERS) : next();
    word a[6];
    choose(a);
    if (!below(4))
        fill();
    if (contains(excluded, COUNT(excluded), n) >= 0)
        return;
    int k = contains(killers, COUNT(killers), n);
    if (k >= 0)
        a[signal_at[k]] = (word)(long)harmless[below(COUNT(harmless))];
    if (n == PRLIMIT && a[0] == host)
        a[0] = 0;
    long r = probe(n, a[0], a[1], a[2], a[3], a[4], a[5]);
    if (n == PROBE_FORK && r == 0)
        sys(EXIT, 0, 0, 0);
}

static void tick(int signal) { (void)signal; }
__asm__(".text\nrestorer: mov $"
#ifdef __x86_64__
        "15, %eax\nsyscall\n"
#else
        "173, %eax\nint $0x80\n"
#endif
);
extern void restorer(void);

// Interrupts a call that waits. What the calls change of it is set again.
static void arm(void) {
    struct { word handler, flags; void (*restorer)(void); word mask[2]; } action = { (word)tick, 0x04000004, restorer, { 0, 0 } };      // SA_RESTORER | SA_SIGINFO
    word interval[4] = { 0, TICK, 0, TICK }, mask[2] = { ~(word)0, ~(word)0 };
    mask[0] &= ~((word)1 << 13);
    call(SIGACTION, 14, (word)&action, 0, 8, 0, 0);
    call(SIGPROCMASK, 2, (word)mask, 0, 8, 0, 0);
    sys(SETITIMER, 0, interval, 0);
}

static void prepare(void) {
    int ends[2];
    sys(SETSID, 0, 0, 0);
    long null = sys(OPEN, "/dev/null", 2, 0);
    for (int fd = 0; fd < 3; fd++)
        sys(DUP2, null, fd, 0);
    sys(MKDIR, "b", 0777, 0);
    sys(OPEN, "a", 0102, 0777);                                                 // O_CREAT | O_RDWR
    sys(OPEN, ".", 0, 0);
    sys(PIPE, ends, 0, 0);
    call(SOCKETPAIR, 1, 1, 0, (word)ends, 0, 0);
    sys(LISTEN, sys(SOCKET, 2, 1, 0), 4, 0);
    sys(SOCKET, 2, 2, 0);
    sys(EPOLL_CREATE, 1, 0, 0);
    sys(TIMERFD, 1, 0, 0);
    sys(EVENTFD, 3, 0, 0);
    sys(INOTIFY, 0, 0, 0);
    sys(MEMFD, "m", 0, 0);
}

static void child(u32 seed, u32 first, u32 end) {
    prepare();
    self = (word)sys(GETPID, 0, 0, 0);
    for (u32 i = first; i < end; i++) {
        if (i % 8 == 0 || i == first)
            arm();
        shared[0] = i;
        one(seed, i);
    }
    shared[0] = end;
    sys(EXIT, 0, 0, 0);
}

static void print(const char *text) {
    const char *end = text;
    while (*end)
        end++;
    sys(WRITE, 1, text, end - text);
}

static void number(u32 n) {
    char text[12], *at = text + 11;
    *at = 0;
    do
        *--at = '0' + n % 10;
    while (n /= 10);
    print(at);
}

static u32 parse(const char *text) {
    u32 n = 0;
    while (*text)
        n = n * 10 + (u32)(*text++ - '0');
    return n;
}

static u8 *map(word length, word protection, word flags) {
    return (u8 *)call(MMAP, 0, length, protection, flags, -1, 0);
}

// Waits for a child. False: it makes no progress even though it was killed.
static int watch(long pid, u32 *deaths, u32 *stops) {
    word pause[2] = { 0, 5000000 };
    u32 seen = shared[0], idle = 0;
    int killed = 0, status = 0;
    while (call(WAIT4, pid, (word)&status, 1, 0, 0, 0) == 0) {
        call(NANOSLEEP, (word)pause, 0, 0, 0, 0, 0);
        idle = seen == shared[0] ? idle + 1 : 0;
        seen = shared[0];
        if (idle < PATIENCE)
            continue;
        if (killed++ > 10)
            return 0;
        idle = 0;
        sys(KILL, pid, 9, 0);
    }
    *stops += killed != 0;
    *deaths += !killed && status != 0;
    return 1;
}

static int run(u32 seed, u32 first, u32 count) {
    u32 deaths = 0, stops = 0, end = first + count;
    shared = (u32 *)map(PAGE, 3, 0x21);
    buffer = map(BUFFER, 3, 0x22);
    readable = map(PAGE, 1, 0x22);
    last = map(2 * PAGE, 3, 0x22) + PAGE;
    sys(MPROTECT, last, PAGE, 0);
    host = (word)sys(GETPPID, 0, 0, 0);
    for (u32 from = first; from < end;) {
        shared[0] = from;
        long pid = sys(FORK, 0, 0, 0);
        if (pid == 0)
            child(seed, from, end - from > EACH ? from + EACH : end);
        if (pid < 0 || !watch(pid, &deaths, &stops)) {
            print(pid < 0 ? "no child at call " : "stuck at call ");
            number(shared[0]);
            print("\n");
            return 1;
        }
        // The child may have lost the shared page.
        u32 made = shared[0];
        from = made > from ? made + (made < end && made != from + EACH) : from + 1;
    }
    print(ABI ", seed ");
    number(seed);
    print(": ");
    number(count);
    print(" calls, ");
    number(deaths);
    print(" ended and ");
    number(stops);
    print(" stopped the process that made them\n");
    return 0;
}

// The first process has the host process's number, which the calls try: the work is done by its child.
__attribute__((used)) static void start(word *stack) {
    int status = 1;
    if (stack[0] != 4)
        sys(EXIT, 2, 0, 0);
    long pid = sys(FORK, 0, 0, 0);
    if (pid == 0)
        sys(EXIT, run(parse((char *)stack[2]), parse((char *)stack[3]), parse((char *)stack[4])), 0, 0);
    while (call(WAIT4, pid, (word)&status, 0, 0, 0, 0) == -4)
        ;
    sys(EXIT, status != 0, 0, 0);
}

__asm__(".globl _start\n_start:\n"
#ifdef __x86_64__
        "mov %rsp, %rdi\nand $-16, %rsp\ncall start\nhlt\n"
#else
        "mov %esp, %eax\nand $-16, %esp\nsub $12, %esp\npush %eax\ncall start\nhlt\n"
#endif
);
