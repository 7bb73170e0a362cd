// System V semaphores.
#include "ipc.h"

union semun { int val; struct semid_ds *buf; unsigned short *array; struct seminfo *info; void *p; };

static void values(int id) {
    unsigned short v[4] = { 9, 9, 9, 9 };
    semctl(id, 0, GETALL, (union semun){ .array = v });
    printf("%d %d %d | %d\n", v[0], v[1], v[2], v[3]);
    fflush(stdout);
}

static int op(int id, int number, int change, int flags) {
    struct sembuf b = { number, change, flags };
    return semop(id, &b, 1);
}

int main(void) {
    int id = semget(IPC_PRIVATE, 3, 0600), status;
    TRY(semget(IPC_PRIVATE, 0, 0600));
    TRY(semget(IPC_PRIVATE, 1 << 30, 0600));
    TRY(op(id, 0, 3, 0));
    TRY(op(id, 1, 0, 0));
    TRY(op(id, 3, 1, 0));
    TRY(op(id, 1, -1, IPC_NOWAIT));
    TRY(op(id, 0, 32767, 0));
    TRY(op(-1, 0, 1, 0));
    values(id);
    struct sembuf both[2] = { { 0, -1, 0 }, { 2, 7, 0 } }, many[600] = { 0 };
    TRY(semop(id, both, 2));
    TRY(semop(id, both, 0));
    TRY(semop(id, many, 600));
    TRY(semop(id, many, 100000000));
    TRY(semop(id, unmapped(), 2));
    values(id);
    TRY(semctl(id, 1, SETVAL, (union semun){ .val = 5 }));
    TRY(semctl(id, 1, SETVAL, (union semun){ .val = -1 }));
    TRY(semctl(id, 1, SETVAL, (union semun){ .val = 40000 }));
    TRY(semctl(id, 4, SETVAL, (union semun){ .val = 1 }));
    TRY(semctl(id, 1, GETVAL));
    TRY(semctl(id, 7, GETVAL));
    TRY(semctl(id, 1, GETNCNT));
    TRY(semctl(id, 1, GETZCNT));
    TRY(semctl(id, 1, GETPID) == getpid());
    unsigned short v[3] = { 1, 2, 3 }, big[3] = { 1, 2, 40000 };
    TRY(semctl(id, 0, SETALL, (union semun){ .array = v }));
    TRY(semctl(id, 0, SETALL, (union semun){ .array = big }));
    TRY(semctl(id, 0, SETALL, (union semun){ .p = unmapped() }));
    TRY(semctl(id, 0, GETALL, (union semun){ .p = unmapped() }));
    values(id);

    // Waiting: signals, time, others.
    alarms(50, SA_RESTART);
    TRY(op(id, 0, -9, 0));
    alarms(0, 0);
    struct timespec t = { 0, 20000000 }, wrong = { 0, 2000000000 };
    TRY(semtimedop(id, &(struct sembuf){ 0, -9, 0 }, 1, &t));
    TRY(semtimedop(id, &(struct sembuf){ 0, -9, 0 }, 1, &wrong));
    TRY(syscall(SEMTIMEDOP, id, &(struct sembuf){ 0, -9, 0 }, 1, unmapped()));
    TRY(semtimedop(id, &(struct sembuf){ 0, -9, IPC_NOWAIT }, 1, &t));
    int child = fork();
    if (!child)
        _exit(op(id, 0, -2, 0));
    for (int i = 0; i < 1000 && semctl(id, 0, GETNCNT) == 0; i++)
        usleep(2000);
    TRY(semctl(id, 0, GETNCNT));
    TRY(op(id, 0, 1, 0));
    waitpid(child, &status, 0);
    printf("child %x, last %d\n", status, semctl(id, 0, GETPID) == child);
    values(id);

    // What is undone at the end of a process.
    v[0] = 5, v[1] = 5, v[2] = 0;
    semctl(id, 0, SETALL, (union semun){ .array = v });
    child = fork();
    if (!child) {
        op(id, 0, -3, SEM_UNDO);
        op(id, 1, 4, SEM_UNDO);
        op(id, 2, 6, SEM_UNDO);
        op(id, 2, -4, 0);
        values(id);
        kill(getpid(), SIGKILL);
    }
    waitpid(child, &status, 0);
    values(id);
    printf("last %d\n", semctl(id, 0, GETPID) == child);
    child = fork();
    if (!child) {
        op(id, 0, -3, SEM_UNDO);
        op(id, 1, -3, SEM_UNDO);
        semctl(id, 0, SETVAL, (union semun){ .val = 1 });
        _exit(0);
    }
    waitpid(child, &status, 0);
    values(id);
    op(id, 0, -1, SEM_UNDO);
    if (!(child = fork()))
        _exit(0);
    waitpid(child, &status, 0);
    values(id);

    struct semid_ds ds;
    memset(&ds, 0xEE, sizeof ds);
    TRY(semctl(id, 0, IPC_STAT, (union semun){ .buf = &ds }));
    perm("set", &ds.sem_perm);
    printf("count %ld used %d changed %d\n", (long)ds.sem_nsems, ds.sem_otime != 0, ds.sem_ctime != 0);
    ds.sem_perm.mode = 0200;
    TRY(semctl(id, 0, IPC_SET, (union semun){ .buf = &ds }));
    TRY(syscall(SEMCTL, id, 0, IPC_SET, unmapped()));
    TRY(semctl(id, 0, SETALL, (union semun){ .array = v }));
    TRY(syscall(SEMCTL, id, 0, 77, &ds));
    struct seminfo info = { 0 };
    TRY(semctl(0, 0, IPC_INFO, (union semun){ .info = &info }) >= 0);
    printf("%d %d %d %d %d %d\n", info.semmni, info.semmns, info.semmsl, info.semopm, info.semvmx, info.semaem);
    int last = semctl(0, 0, SEM_INFO, (union semun){ .info = &info }), found = 0;
    for (int i = 0; i <= last; i++)
        found += semctl(i, 0, 20, (union semun){ .buf = &ds }) == id && ds.sem_nsems == 3;
    printf("found %d\n", found);
#ifdef __i386__
    unsigned char old[44];
    void *p = old;
    ds.sem_perm.mode = 0600;
    semctl(id, 0, IPC_SET, (union semun){ .buf = &ds });
    TRY(syscall(SYS_ipc, 3, id, 0, IPC_STAT, &p));
    printf("mode %o count %d\n", *(short *)(old + 12), *(unsigned short *)(old + 40));
    TRY(syscall(SYS_ipc, 3, id, 0, IPC_STAT, 0));
    TRY(syscall(SYS_ipc, 3, id, 0, IPC_STAT, unmapped()));
    int val = 4;
    TRY(syscall(SYS_ipc, 3, id, 0, SETVAL, &val));
    TRY(syscall(SYS_ipc, 4, id, 1, 0, &(struct sembuf){ 0, -9, 0 }, &(long[2]){ 0, 10000000 }));
    TRY(syscall(420, id, &(struct sembuf){ 0, -9, 0 }, 1, &(long long[2]){ 0, 10000000 }));
    TRY(syscall(394, id, 0, IPC_STAT | 0x100, &ds) == id);
#endif
    child = fork();
    if (!child) {
        int r = op(id, 0, -100, 0);
        _exit(r < 0 ? errno : 0);
    }
    usleep(400000);
    TRY(semctl(id, 0, IPC_RMID));
    waitpid(child, &status, 0);
    printf("waiting child: %d\n", WEXITSTATUS(status));
    TRY(op(id, 0, 1, 0));
    return 0;
}
