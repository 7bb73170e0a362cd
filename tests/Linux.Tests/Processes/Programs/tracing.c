/* ptrace: attaching to another process, its memory and registers, signals on their way. Prints to the file that the argument names. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile long mark = 0x1122334455667788, *spins;
static volatile int taken;
static int ready[2], go[2];

static void note(int number)
{
    taken = number;
}

static long trace(long request, pid_t pid, void *address, void *data)
{
    errno = 0;
    return syscall(SYS_ptrace, request, pid, address, data);
}

#define PRINT(name, call) do { \
        long result_ = (call); \
        printf("%s: %s\n", name, result_ == -1 ? strerrorname_np(errno) : "ok"); \
    } while (0)

static void status(const char *name, pid_t pid, pid_t wanted, int flags)
{
    int how = 0;
    pid_t got = waitpid(wanted, &how, flags);
    if (got < 0)
        printf("%s: %s\n", name, strerrorname_np(errno));
    else
        printf("%s: %s %s %d\n", name, got == pid ? "it" : got == 0 ? "nothing" : "another",
            WIFSTOPPED(how) ? "stopped" : WIFSIGNALED(how) ? "killed" : "exited", WIFSTOPPED(how) ? WSTOPSIG(how) : WIFSIGNALED(how) ? WTERMSIG(how) : WEXITSTATUS(how));
}

/* rbx and xmm7 hold what the tracer looks for, at a known instruction. */
extern char loop_start[], loop_end[];

static void child(void)
{
    static const double number = 1.5;
    char byte = 1;
    signal(SIGUSR1, note);
    signal(SIGUSR2, note);
    write(ready[1], &byte, 1);
    __asm__ volatile(
        "movq %1, %%xmm7\n\t"
        "movq $0x123456789abcdef, %%rbx\n\t"
        ".globl loop_start\nloop_start:\n\t"
        "incq %0\n\t"
        "cmpl $0, %2\n\t"
        "je loop_start\n"
        ".globl loop_end\nloop_end:\n\t"
        : "+m"(*spins) : "m"(number), "m"(taken) : "rbx", "xmm7", "cc");
    write(ready[1], &byte, 1);

    /* The call that a stop interrupts goes on. */
    if (read(go[0], &byte, 1) != 1)
        exit(90);
    exit(taken);
}

int main(int argc, char **argv)
{
    struct user_regs_struct registers;
    struct user_fpregs_struct floats;
    struct iovec set;
    pid_t pid;
    char byte;
    long word;
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    setvbuf(stdout, NULL, _IONBF, 0);
    pipe(ready);
    pipe(go);
    spins = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid = fork();
    if (pid == 0)
        child();
    read(ready[0], &byte, 1);
    while (*spins == 0)
        usleep(1000);

    PRINT("myself", trace(PTRACE_ATTACH, getpid(), 0, 0));
    PRINT("nobody", trace(PTRACE_ATTACH, 0x7ffffff0, 0, 0));
    PRINT("not traced", trace(PTRACE_PEEKDATA, pid, (void *)&mark, &word));
    PRINT("attach", trace(PTRACE_ATTACH, pid, 0, 0));
    PRINT("again", trace(PTRACE_ATTACH, pid, 0, 0));
    status("stop", pid, pid, __WALL);
    status("no more", pid, pid, WNOHANG);
    PRINT("peek", trace(PTRACE_PEEKDATA, pid, (void *)&mark, &word));
    printf("%lx\n", word);
    PRINT("poke", trace(PTRACE_POKEDATA, pid, (void *)&mark, (void *)0x77));
    PRINT("peek", trace(PTRACE_PEEKTEXT, pid, (void *)&mark, &word));
    printf("%lx\n", word);
    PRINT("peek nothing", trace(PTRACE_PEEKDATA, pid, (void *)16, &word));
    PRINT("registers", trace(PTRACE_GETREGS, pid, 0, &registers));
    printf("%llx %d %llx %llx\n", registers.rbx, registers.rip >= (long)loop_start && registers.rip < (long)loop_end, registers.cs, registers.ss);
    printf("%d %d\n", registers.rsp / 0x1000000 == (word = (long)&word) / 0x1000000, (registers.eflags & 0x202) == 0x202);
    set = (struct iovec){ &registers, sizeof registers + 64 };
    memset(&registers, 0, sizeof registers);
    PRINT("set", trace(PTRACE_GETREGSET, pid, (void *)1, &set));
    printf("%zu %llx\n", set.iov_len, registers.rbx);
    set = (struct iovec){ &registers, 16 };
    PRINT("part", trace(PTRACE_GETREGSET, pid, (void *)1, &set));
    printf("%zu\n", set.iov_len);
    set.iov_len = 15;
    PRINT("odd", trace(PTRACE_GETREGSET, pid, (void *)1, &set));
    PRINT("floats", trace(PTRACE_GETFPREGS, pid, 0, &floats));
    printf("%g %x\n", ((double *)floats.xmm_space)[14], floats.mxcsr & ~0x3f);
    PRINT("bad buffer", trace(PTRACE_GETREGS, pid, 0, (void *)16));
    PRINT("unknown", trace(12345, pid, 0, 0));
    PRINT("bad signal", trace(PTRACE_CONT, pid, 0, (void *)1000));

    word = *spins;
    usleep(20000);
    printf("stands still %d\n", word == *spins);
    PRINT("continue", trace(PTRACE_CONT, pid, 0, 0));
    PRINT("runs", trace(PTRACE_PEEKDATA, pid, (void *)&mark, &word));
    kill(pid, SIGUSR1);
    status("signal", pid, pid, 0);
    PRINT("drop it", trace(PTRACE_CONT, pid, 0, 0));
    kill(pid, SIGUSR1);
    status("signal", pid, -1, 0);
    PRINT("another", trace(PTRACE_CONT, pid, 0, (void *)SIGUSR2));
    read(ready[0], &byte, 1);
    kill(pid, SIGSTOP);
    status("stop", pid, pid, 0);
    PRINT("detach", trace(PTRACE_DETACH, pid, 0, 0));
    PRINT("not traced", trace(PTRACE_DETACH, pid, 0, 0));
    usleep(20000);
    status("runs", pid, pid, WNOHANG);
    write(go[1], "x", 1);
    status("end", pid, pid, 0);

    /* A tracer that ends lets go. */
    pid = fork();
    if (pid == 0) {
        taken = 0;
        child();
    }
    read(ready[0], &byte, 1);
    if (fork() == 0) {
        trace(PTRACE_ATTACH, pid, 0, 0);
        status("child", pid, pid, __WALL);
        exit(0);
    }
    wait(NULL);
    kill(pid, SIGUSR1);
    read(ready[0], &byte, 1);
    write(go[1], "x", 1);
    status("end", pid, pid, 0);
    pid = fork();
    if (pid == 0)
        for (;;)
            pause();
    PRINT("attach", trace(PTRACE_ATTACH, pid, 0, 0));
    status("stop", pid, pid, 0);
    kill(pid, SIGKILL);
    status("killed", pid, pid, 0);
    return 0;
}
