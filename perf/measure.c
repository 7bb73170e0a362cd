/* measure SECONDS COMMAND...: runs a command and writes to descriptor 3: wall seconds, CPU seconds (user and system, of all it waited for),
   and the largest resident set in KiB; or "-" when it was killed, ended with a status other than 0, or took longer than SECONDS. */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static pid_t child;

static void stop(int signal)
{
    (void)signal;
    kill(-child, SIGKILL);
}

int main(int argc, char **argv)
{
    struct timespec start, end;
    struct rusage usage;
    int status;
    if (argc < 3) return 2;
    clock_gettime(CLOCK_MONOTONIC, &start);
    child = fork();
    if (child < 0) return 1;
    if (child == 0) {
        setpgid(0, 0);
        close(3);
        execvp(argv[2], argv + 2);
        _exit(127);
    }
    signal(SIGALRM, stop);
    alarm(atoi(argv[1]));
    if (wait4(child, &status, 0, &usage) < 0) return 1;
    clock_gettime(CLOCK_MONOTONIC, &end);
    if (status != 0) {
        dprintf(3, "-\n");
        return 1;
    }
    dprintf(3, "%.3f %.3f %ld\n", end.tv_sec - start.tv_sec + (end.tv_nsec - start.tv_nsec) / 1e9,
        usage.ru_utime.tv_sec + usage.ru_utime.tv_usec / 1e6 + usage.ru_stime.tv_sec + usage.ru_stime.tv_usec / 1e6, usage.ru_maxrss);
    return 0;
}
