// System V shared memory.
#include "ipc.h"

static struct shmid_ds ds;

static int attached(int id) {
    shmctl(id, IPC_STAT, &ds);
    return ds.shm_nattch;
}

static int faults(volatile char *p, int write) {
    int status, child = fork();
    if (!child) {
        if (write)
            *p = 1;
        else
            (void)*p;
        _exit(0);
    }
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

int main(int argc, char **argv) {
    if (argc > 1)
        return attached(atoi(argv[1]));
    int id = shmget(IPC_PRIVATE, 3 * 4096 + 100, 0600), status;
    TRY(shmget(IPC_PRIVATE, 0, 0600));
    TRY(shmat(-1, 0, 0));
    TRY(shmat(id, (void *)0x12345, 0));
    TRY(shmat(id, 0, SHM_REMAP));
    TRY(shmat(id, (void *)100, SHM_REMAP | SHM_RND));
    TRY(shmat(id, main, SHM_RND));
    char *a = shmat(id, 0, 0), *b = shmat(id, 0, SHM_RDONLY);
    printf("attached %d\n", attached(id));
    perm("segment", &ds.shm_perm);
    printf("size %ld creator %d last %d attached %d detached %d\n", (long)ds.shm_segsz, ds.shm_cpid == getpid(), ds.shm_lpid == getpid(),
           ds.shm_atime != 0, ds.shm_dtime != 0);
    strcpy(a + 5000, "through the other");
    printf("%s\n", b + 5000);
    printf("faults %d %d\n", faults(b, 0), faults(b, 1));
    TRY(mprotect(b, 4096, PROT_READ | PROT_WRITE));
    TRY(mprotect(a, 4 * 4096, PROT_READ));
    TRY(mprotect(a, 4 * 4096, PROT_READ | PROT_WRITE));
    char line[300], want[40];
    sprintf(want, "%lx-%lx ", (long)a, (long)a + 4 * 4096);
    FILE *maps = fopen("/proc/self/maps", "r");
    while (fgets(line, sizeof line, maps))
        if (!strncmp(line, want, strlen(want)) && strstr(line, " 00:01 ") && atoi(strstr(line, " 00:01 ") + 7) == id)
            printf("maps: %s", strstr(line, "/SYSV"));
    fclose(maps);

    int child = fork();
    if (!child) {
        printf("in the child %d\n", attached(id));
        fflush(stdout);
        strcpy(a, "from the child");
        a[0x2000] = 7;
        shmdt(b);
        int left = attached(id);
        printf("in the child %d, last %d\n", left, ds.shm_lpid == getpid());
        fflush(stdout);
        _exit(0);
    }
    waitpid(child, &status, 0);
    printf("%x %s %s %d, attached %d\n", status, a, b, b[0x2000], attached(id));
    sprintf(line, "%d", id);
    child = fork();
    if (!child) {
        execl("/proc/self/exe", argv[0], line, NULL);
        _exit(99);
    }
    waitpid(child, &status, 0);
    printf("after exec %d\n", WEXITSTATUS(status));

    // Parts.
    TRY(munmap(a + 4096, 4096));
    printf("attached %d\n", attached(id));
    printf("faults %d %d %d\n", faults(a, 1), faults(a + 4096, 0), faults(a + 0x3FFF, 1));
    TRY(shmdt(a + 4096));
    TRY(shmdt(a + 1));
    TRY(shmdt(a));
    printf("attached %d\n", attached(id));
    printf("faults %d %d\n", faults(a, 0), faults(a + 0x3FFF, 0));
    TRY(shmdt(a));

    // Where the caller wants it.
    char *room = mmap(0, 16 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    TRY(shmat(id, room, 0));
    TRY((char *)shmat(id, room + 4096, SHM_REMAP) == room + 4096);
    printf("%s\n", room + 4096);
    TRY(munmap(room + 8 * 4096, 8 * 4096));
    TRY((char *)shmat(id, room + 8 * 4096 + 7, SHM_RND) == room + 8 * 4096);
    room[8 * 4096] = 'F';
    printf("%s, attached %d\n", room + 4096, attached(id));
    char *moved = mremap(room + 4096, 4 * 4096, 4 * 4096, MREMAP_MAYMOVE | MREMAP_FIXED, room + 12 * 4096);
    TRY(moved == room + 12 * 4096);
    printf("%s, attached %d, faults %d\n", moved, attached(id), faults(room + 4096, 0));
    TRY(shmdt(moved));
    TRY(shmdt(room + 8 * 4096));
    printf("attached %d\n", attached(id));

    // Code in it, made by one address and changed by another.
    char *code = shmat(id, 0, SHM_EXEC), *data = shmat(id, 0, 0);
    TRY(code == (void *)-1);
    if (code != (void *)-1)
        for (int i = 1; i < 4; i++) {
            memcpy(data, "\xb8\x00\x00\x00\x00\xc3", 6);
            data[1] = i;
            int sum = 0;
            for (int k = 0; k < 1000; k++)
                sum += ((int (*)(void))code)();
            printf("code %d\n", sum);
            if (!(child = fork())) {
                data[1] = i + 10;
                _exit(0);
            }
            waitpid(child, &status, 0);
            printf("code %d\n", ((int (*)(void))code)());
        }

    struct shmid_ds set = { .shm_perm = { .uid = getuid(), .gid = getgid(), .mode = 0400 } };
    TRY(shmctl(id, IPC_SET, &set));
    attached(id);
    perm("segment", &ds.shm_perm);
    TRY(syscall(SHMCTL, id, IPC_SET, unmapped()));
    TRY(syscall(SHMCTL, id, IPC_STAT, unmapped()));
    TRY(syscall(SHMCTL, id, 99, &ds));
    TRY(syscall(SHMCTL, id, -2, &ds));
    TRY(syscall(SHMCTL, -2, IPC_STAT, &ds));
    TRY(shmctl(id, SHM_LOCK, 0));
    attached(id);
    perm("locked", &ds.shm_perm);
    TRY(shmctl(id, SHM_UNLOCK, 0));
    struct { unsigned long max, min, mni, seg, all, unused[4]; } info = { 0 };
    TRY(syscall(SHMCTL, 0, IPC_INFO, &info) >= 0);
    printf("%lx %lx %lx %lx %lx\n", info.max, info.min, info.mni, info.seg, info.all);
    struct shm_info usage;
    int last = shmctl(0, SHM_INFO, (void *)&usage), found = 0;
    for (int i = 0; i <= last; i++)
        found += shmctl(i, SHM_STAT, &ds) == id && ds.shm_segsz == 3 * 4096 + 100;
    printf("found %d, used %d, pages %d\n", found, usage.used_ids > 0, usage.shm_tot >= 4);
#ifdef __i386__
    unsigned char old[48];
    memset(old, 0xEE, sizeof old);
    TRY(syscall(SYS_ipc, 24, id, IPC_STAT, 0, old));
    printf("mode %o size %d attached %d\n", *(short *)(old + 12), *(int *)(old + 16), *(short *)(old + 36));
    TRY(syscall(SHMCTL, id, IPC_STAT | 0x100, old));
    int oldinfo[6] = { 0, 0, 0, 0, 0, 77 };
    TRY(syscall(SYS_ipc, 24, 0, IPC_INFO, 0, oldinfo) >= 0);
    printf("%x %x %x %x %x %d\n", oldinfo[0], oldinfo[1], oldinfo[2], oldinfo[3], oldinfo[4], oldinfo[5]);
    void *where = 0;
    TRY(syscall(SYS_ipc, 21, id, 0, &where, 0));
    TRY(syscall(SYS_ipc, 22, 0, 0, 0, where));
    TRY(syscall(SYS_ipc, 21 | 1 << 16, id, 0, &where, 0));
    TRY(syscall(SYS_ipc, 21, id, 0, 8, 0));
#endif
    TRY(shmctl(id, IPC_RMID, 0));
    attached(id);
    perm("removed", &ds.shm_perm);
    shmdt(code), shmdt(data);
    TRY(shmctl(id, IPC_RMID, 0) != 99);
    return 0;
}
