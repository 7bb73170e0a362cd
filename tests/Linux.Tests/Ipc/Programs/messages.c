// System V message queues.
#include "ipc.h"

static struct { long type; char text[9000]; } m;

static void show(int id) {
    struct msqid_ds ds;
    memset(&ds, 0xEE, sizeof ds);
    TRY(msgctl(id, IPC_STAT, &ds));
    perm("queue", &ds.msg_perm);
    printf("bytes %ld messages %ld limit %ld sender %d receiver %d sent %d received %d changed %d\n", (long)ds.__msg_cbytes, (long)ds.msg_qnum,
           (long)ds.msg_qbytes, ds.msg_lspid == getpid(), ds.msg_lrpid == getpid(), ds.msg_stime != 0, ds.msg_rtime != 0, ds.msg_ctime != 0);
}

int main(void) {
    int id = msgget(IPC_PRIVATE, 0600 | IPC_CREAT);
    key_t key = 0x7A000000 | (getpid() & 0xFFFF);
    int named = msgget(key, 0640 | IPC_CREAT | IPC_EXCL);
    TRY(msgget(key, 0640 | IPC_CREAT | IPC_EXCL));
    TRY(msgget(key, 0) == named);
    TRY(msgctl(named, IPC_RMID, 0));
    TRY(msgget(key, 0));
    TRY(msgctl(named, IPC_RMID, 0));
    show(id);

    m.type = 0;
    TRY(msgsnd(id, &m, 3, 0));
    m.type = 5;
    TRY(msgsnd(id, &m, -1, 0));
    TRY(msgsnd(id, &m, 1 << 30, 0));
    TRY(msgsnd(-1, &m, 3, 0));
    TRY(msgsnd(id, unmapped(), 3, 0));
    strcpy(m.text, "five");
    TRY(msgsnd(id, &m, 5, 0));
    m.type = 3;
    strcpy(m.text, "three");
    TRY(msgsnd(id, &m, 6, IPC_NOWAIT));
    m.type = 0x7FFFFFFF;
    TRY(msgsnd(id, &m, 0, IPC_NOWAIT));
    show(id);

    memset(&m, 0, sizeof m);
    TRY(msgrcv(id, &m, 2, -3, IPC_NOWAIT));
    TRY(msgrcv(id, &m, 2, -3, IPC_NOWAIT | MSG_NOERROR));
    printf("%ld %s\n", m.type, m.text);
    TRY(msgrcv(id, &m, 9000, 5, MSG_EXCEPT));
    printf("%ld\n", m.type);
    TRY(msgrcv(id, &m, 9000, 0, MSG_COPY | IPC_NOWAIT));
    printf("%ld %s\n", m.type, m.text);
    TRY(msgrcv(id, &m, 9000, 0, MSG_COPY));
    TRY(msgrcv(id, &m, 0x7FFFFFFF, 0, 0));
    TRY(msgrcv(id, &m, 9000, 0, IPC_NOWAIT));
    TRY(msgrcv(id, &m, -1, 0, IPC_NOWAIT));
    m.type = 1;
    TRY(msgsnd(id, &m, 8192, 0));
    TRY(msgrcv(id, unmapped(), 9000, 0, 0));
    show(id);

    alarms(50, SA_RESTART);
    TRY(msgrcv(id, &m, 9000, 0, 0));
    alarms(0, 0);
    TRY(msgsnd(id, &m, 8192, 0));
    m.type = 2;
    TRY(msgsnd(id, &m, 8190, 0));
    alarms(50, 0);
    TRY(msgsnd(id, &m, 100, 0));
    alarms(0, 0);
    TRY(msgsnd(id, &m, 100, IPC_NOWAIT));
    TRY(msgrcv(id, &m, 9000, 1, 0));
    TRY(msgrcv(id, &m, 9000, 2, 0));

    int child = fork();
    if (!child) {
        m.type = getpid();
        _exit(msgsnd(id, &m, 10, 0));
    }
    TRY(msgrcv(id, &m, 100, child, 0));
    int status;
    waitpid(child, &status, 0);
    struct msqid_ds ds;
    msgctl(id, IPC_STAT, &ds);
    printf("child sent %d, I received %d\n", ds.msg_lspid == child, ds.msg_lrpid == getpid());

    ds.msg_perm.mode = 0444;
    ds.msg_qbytes = 1000;
    TRY(msgctl(id, IPC_SET, &ds));
    show(id);
    TRY(syscall(MSGCTL, id, IPC_SET, unmapped()));
    TRY(syscall(MSGCTL, id, IPC_STAT, unmapped()));
    TRY(syscall(MSGCTL, id, 99, &ds));
    TRY(syscall(MSGCTL, id, -1, &ds));
    TRY(msgctl(-1, IPC_STAT, &ds));
    TRY(syscall(MSGCTL, id, IPC_STAT | 0x1000, &ds));

    struct msginfo info;
    memset(&info, 0, sizeof info);
    TRY(msgctl(0, IPC_INFO, (void *)&info) >= 0);
    printf("%d %d %d %d %d\n", info.msgmax, info.msgmnb, info.msgmni, info.msgssz, info.msgseg);
    int last = msgctl(0, MSG_INFO, (void *)&info), found = 0;
    for (int i = 0; i <= last; i++)
        found += msgctl(i, MSG_STAT, &ds) == id && ds.msg_qbytes == 1000;
    printf("found %d\n", found);
#ifdef __i386__
    unsigned char old[56];
    memset(old, 0xEE, sizeof old);
    TRY(syscall(SYS_ipc, 14, id, IPC_STAT, 0, old));
    printf("mode %o uid %d qbytes %d\n", *(short *)(old + 12), *(unsigned short *)(old + 4) == getuid(), *(unsigned short *)(old + 48));
    *(short *)(old + 48) = 900;
    TRY(syscall(SYS_ipc, 14, id, IPC_SET, 0, old));
    show(id);
    m.type = 9;
    ds.msg_perm.mode = 0600;
    msgctl(id, IPC_SET, &ds);
    TRY(syscall(SYS_ipc, 11, id, 4, 0, &m));
    struct { void *p; long type; } kludge = { &m, 9 };
    TRY(syscall(SYS_ipc, 12, id, 4, 0, &kludge));
    TRY(syscall(SYS_ipc, 12, id, 4, 0, 0));
    TRY(syscall(SYS_ipc, 12, id, 4, 0, unmapped()));
    TRY(syscall(SYS_ipc, 12, -1, 4, 0, 0));
    TRY(syscall(SYS_ipc, 12 | 1 << 16, id, 4, IPC_NOWAIT, &m, 0));
    TRY(syscall(SYS_ipc, 99, id, 4, 0, 0));
    TRY(syscall(402, id, IPC_STAT | 0x100, &ds) == id);
#endif
    child = fork();
    if (!child) {
        int r = msgrcv(id, &m, 100, 77, 0);
        _exit(r < 0 ? errno : 0);
    }
    usleep(400000);
    TRY(msgctl(id, IPC_RMID, 0));
    waitpid(child, &status, 0);
    printf("waiting child: %d\n", WEXITSTATUS(status));
    TRY(msgsnd(id, &m, 3, 0));
    return 0;
}
