// What a process reads and writes of itself and of a child by /proc and process_vm_readv. The same output natively and as a guest.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

static const volatile int constant = 5;
static char text[1 << 20];

static int slurp(const char *path)
{
    int fd = open(path, O_RDONLY), n, total = 0;
    if (fd < 0)
        return -errno;
    while (total < (int)sizeof text - 1 && (n = read(fd, text + total, sizeof text - 1 - total)) > 0)
        total += n;
    text[total] = 0;
    close(fd);
    return total;
}

static void own_memory(void)
{
    int fd = open("/proc/self/mem", O_RDWR), x = 7, y = 0;
    printf("read %d", (int)pread(fd, &y, 4, (unsigned long)&x));
    printf(" %d\n", y);

    // Code that has run often, on a page that cannot be written.
    unsigned char *code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(code, "\xB8\1\0\0\0\xC3", 6);
    mprotect(code, 4096, PROT_READ | PROT_EXEC);
    long sum = 0;
    for (int i = 0; i < 30000; i++)
        sum += ((int (*)(void))code)();
    y = 9;
    printf("sum %ld, write %d", sum, (int)pwrite(fd, &y, 4, (unsigned long)(code + 1)));
    printf(", then %d\n", ((int (*)(void))code)());
    y = 6;
    printf("constant %d", (int)pwrite(fd, &y, 4, (unsigned long)&constant));
    printf(" %d\n", constant);
    printf("hole %d", (int)pread(fd, &y, 4, 64));
    printf(" %d\n", errno);

    // A page without rights can be read by force; a shared one that cannot be written is not written.
    char *page = mmap(0, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    strcpy(page + 4092, "ABC");
    mprotect(page, 4096, PROT_NONE);
    munmap(page + 4096, 4096);
    char bytes[16] = "";
    printf("across the end %d", (int)pread(fd, bytes, 16, (unsigned long)(page + 4092)));
    printf(" %s\n", bytes);
    char name[] = "/tmp/procfilesXXXXXX";
    int file = mkstemp(name);
    ftruncate(file, 8192);
    unlink(name);
    char *shared = mmap(0, 4096, PROT_READ, MAP_SHARED, file, 0);
    printf("shared %d", (int)pwrite(fd, "x", 1, (unsigned long)shared));
    printf(" %d\n", errno);
    char *private = mmap(0, 8192, PROT_READ, MAP_PRIVATE, file, 0);
    ftruncate(file, 4096);
    printf("file's end %d", (int)pread(fd, bytes, 16, (unsigned long)(private + 4090)));
    printf(" %d", (int)pread(fd, bytes, 16, (unsigned long)(private + 4096)));
    printf(" %d\n", errno);
    printf("seek %d", lseek(fd, (unsigned long)&x, SEEK_SET) == (off_t)(unsigned long)&x);
    printf(" %d", (int)read(fd, &y, 4));
    printf(" %d", y);
    struct iovec pieces[2] = { { &y, 2 }, { bytes, 2 } };
    printf(" %d", (int)preadv(fd, pieces, 2, (unsigned long)&x));
    printf(" %d", lseek(fd, 0, SEEK_CUR) == (off_t)(unsigned long)(&x + 1));
    printf(" %d\n", (int)lseek(fd, 0, SEEK_END));
    close(fd);
    struct iovec local = { &y, 4 }, remote = { &x, 4 }, bad = { (void *)64, 4 };
    y = 0;
    printf("process_vm_readv %d", (int)process_vm_readv(getpid(), &local, 1, &remote, 1, 0));
    printf(" %d", y);
    x = 77;
    y = 78;
    printf(" %d", (int)process_vm_writev(getpid(), &local, 1, &remote, 1, 0));
    printf(" %d", x);
    printf(" %d", (int)process_vm_readv(getpid(), &local, 1, &bad, 1, 0));
    printf(" %d\n", errno);
    unsigned long long word[2] = { 1, 1 };
    fd = open("/proc/self/pagemap", O_RDONLY);
    printf("pagemap %d", (int)pread(fd, word, 16, 64));
    printf(" %d", (int)pread(fd, word, 7, 64));
    printf(" %d\n", errno);
    close(fd);
}

static void child(void)
{
    static volatile int value = 1;
    int to[2], back[2];
    char name[64], byte = 0;
    pipe(to);
    pipe(back);
    pid_t pid = fork();
    if (pid == 0) {
        value = 21;
        prctl(PR_SET_NAME, "the child", 0, 0, 0);
        write(back[1], "x", 1);
        read(to[0], &byte, 1);
        _exit(value);
    }
    read(back[0], &byte, 1);
    snprintf(name, sizeof name, "/proc/%d/mem", pid);
    int fd = open(name, O_RDWR), seen = 0;
    printf("child's %d", (int)pread(fd, &seen, 4, (unsigned long)&value));
    printf(" %d, own %d", seen, value);
    seen = 42;
    printf(", written %d\n", (int)pwrite(fd, &seen, 4, (unsigned long)&value));
    struct iovec local = { &seen, 4 }, remote = { (void *)&value, 4 };
    printf("process_vm_readv %d", (int)process_vm_readv(pid, &local, 1, &remote, 1, 0));
    printf(" %d\n", seen);
    snprintf(name, sizeof name, "/proc/%d/comm", pid);
    slurp(name);
    printf("comm %s", text);
    int set = open(name, O_WRONLY);
    printf("set comm %d", (int)write(set, "other", 5));
    printf(" %d\n", errno);
    snprintf(name, sizeof name, "/proc/%d/oom_score_adj", pid);
    set = open(name, O_WRONLY);
    printf("set oom_score_adj %d", (int)write(set, "500\n", 4));
    slurp(name);
    printf(" %s", text);
    slurp("/proc/self/oom_score_adj");
    printf("own %s", text);
    snprintf(name, sizeof name, "/proc/%d/cwd", pid);
    int dir = open(name, O_PATH);
    struct stat a, b;
    fstat(dir, &a);
    stat(".", &b);
    printf("cwd %d\n", a.st_ino == b.st_ino);
    snprintf(name, sizeof name, "/proc/%d", pid);
    dir = open(name, O_RDONLY | O_DIRECTORY);
    write(to[1], "x", 1);
    int status;
    waitpid(pid, &status, 0);
    printf("ended with %d\n", WEXITSTATUS(status));
    printf("mem of the dead %d", (int)pread(fd, &seen, 4, (unsigned long)&value));
    printf(", its directory %d", openat(dir, "status", O_RDONLY));
    printf(" %d", errno);
    printf(", its number %d", access(name, F_OK));
    printf(" %d\n", errno);
}

static void files(void)
{
    static const char *const names[] = {
        "attr/current", "auxv", "cgroup", "clear_refs", "cmdline", "comm", "coredump_filter", "environ", "exe", "fd", "fdinfo/0", "io", "limits",
        "loginuid", "maps", "mem", "mountinfo", "mounts", "net/tcp", "ns/pid", "oom_score", "oom_score_adj", "pagemap", "personality", "root",
        "schedstat", "sessionid", "setgroups", "smaps", "smaps_rollup", "stack", "stat", "statm", "status", "syscall", "task", "timerslack_ns",
        "uid_map", "wchan", "children", "task/self", "nonsense", "fd/1000", "../self/comm", "sched",
    };
    char path[100];
    struct stat status;
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "/proc/self/%s", names[i]);
        int error = access(path, F_OK) ? errno : 0;
        int got = lstat(path, &status);
        printf("%s: %d %o %d\n", names[i], error, got ? 0 : status.st_mode, got ? 0 : status.st_uid == geteuid());
    }
    static const char *const machine[] = {
        "/proc/sys/kernel/pid_max", "/proc/sys/vm/overcommit_memory", "/proc/sys/vm/mmap_min_addr", "/proc/sys/kernel/randomize_va_space",
        "/proc/stat", "/proc/meminfo", "/proc/uptime", "/proc/loadavg", "/proc/version", "/proc/filesystems", "/proc/cpuinfo", "/proc/mounts",
        "/proc/net/dev", "/proc/nonsense",
    };
    for (unsigned i = 0; i < sizeof machine / sizeof *machine; i++)
        printf("%s: %d\n", machine[i], slurp(machine[i]) > 0);
    static const char *const fields[] = {
        "Name:", "Umask:", "State:", "Tgid:", "Pid:", "PPid:", "TracerPid:", "Uid:", "Gid:", "FDSize:", "Groups:", "VmPeak:", "VmSize:", "VmRSS:",
        "VmData:", "VmStk:", "Threads:", "SigQ:", "SigPnd:", "SigBlk:", "SigIgn:", "SigCgt:", "CapEff:", "Seccomp:", "Cpus_allowed:",
        "Cpus_allowed_list:", "voluntary_ctxt_switches:",
    };
    // Whoever starts the test may ignore it.
    signal(SIGPIPE, SIG_DFL);
    signal(SIGUSR1, SIG_IGN);
    signal(SIGUSR2, abort);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigprocmask(SIG_BLOCK, &set, 0);
    raise(SIGTERM);
    slurp("/proc/self/status");
    for (unsigned i = 0; i < sizeof fields / sizeof *fields; i++)
        if (!strstr(text, fields[i]))
            printf("status lacks %s\n", fields[i]);
    static const char *const compared[] = { "Umask:", "Uid:", "Gid:", "Threads:", "SigPnd:", "ShdPnd:", "SigBlk:", "SigIgn:", "SigCgt:", "NoNewPrivs:" };
    for (unsigned i = 0; i < sizeof compared / sizeof *compared; i++) {
        char *at = strstr(text, compared[i]);
        printf("%.*s\n", (int)strcspn(at, "\n"), at);
    }
    struct rlimit limit = { 300, 400 };
    setrlimit(RLIMIT_NOFILE, &limit);
    slurp("/proc/self/limits");
    printf("%.*s\n", (int)strcspn(text, "\n"), text);
    printf("%s", strstr(text, "Max file size"));
}

int main(void)
{
    setvbuf(stdout, 0, _IOLBF, 0);
    own_memory();
    child();
    files();
    return 0;
}
