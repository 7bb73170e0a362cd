// A guest that uses up what it shares with the process that runs it, or looks for that process. Prints what it found, one line each.
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static char *self;

static int open_all(void) {
    int count = 0;
    while (open("/dev/null", O_RDONLY) >= 0)
        count++;
    return count;
}

// A program can still be executed: 0.
static int status_of_program(void) {
    int status;
    if (fork() == 0) {
        execl(self, self, "nothing", (char *)0);
        _exit(9);
    }
    wait(&status);
    return status;
}

static int descriptors(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    int count = open_all();
    printf("all but %d, error %d\n", (int)limit.rlim_cur - count, errno);
    return status_of_program();
}

static int many(void) {
    int ends[2], lacking = 0;
    char result;
    pipe(ends);
    for (int i = 0; i < 8; i++) {
        if (fork() == 0) {
            open_all();
            result = errno == ENFILE || errno == EMFILE ? 'e' : '?';
            write(ends[1], &result, 1);
            pause();
        }
        read(ends[0], &result, 1);
        lacking += result == 'e';
    }
    printf("%d lack descriptors\n", lacking);
    signal(SIGTERM, SIG_IGN);
    kill(0, SIGTERM);
    while (wait(0) > 0)
        ;
    return status_of_program();
}

static int memory(void) {
    while (mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
        ;
    printf("error %d\n", errno);
    return 0;
}

static void *sleeper(void *unused) {
    pause();
    return unused;
}

static int threads(void) {
    pthread_t thread;
    pthread_attr_t small;
    int error, count = 0;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 32768);
    while ((error = pthread_create(&thread, &small, sleeper, 0)) == 0 && count < 2000)
        count++;
    printf("error %d\n", error);
    return 0;
}

// The first process has the number of the host process. It ends; whatever has a number near it must not be there.
static int orphan(void) {
    int first = getpid(), ends[2], found = 0;
    char wait_for;
    pipe(ends);
    if (fork() != 0)
        return 0;
    close(ends[1]);
    read(ends[0], &wait_for, 1);
    while (getppid() == first)
        usleep(1000);
    for (int i = -20; i < 200; i++)
        found += kill(first + i, 0) == 0 || kill(first + i, SIGKILL) == 0 || errno != ESRCH;
    found += kill(-first, SIGKILL) == 0;
    printf("%d found\n", found);
    return 0;
}

int main(int count, char **arguments) {
    self = arguments[0];
    char *what = count > 1 ? arguments[1] : "";
    setvbuf(stdout, 0, _IONBF, 0);
    return !strcmp(what, "descriptors") ? descriptors() : !strcmp(what, "many") ? many() : !strcmp(what, "memory") ? memory()
        : !strcmp(what, "threads") ? threads() : !strcmp(what, "orphan") ? orphan() : 0;
}
