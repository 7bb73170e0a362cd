// Looks into /proc by many spellings and many calls, and says for each whether it found itself, nothing, or somebody else. Run natively it
// finds itself; a guest must find the same. "FOREIGN" is never right.
// usage: escape DIRECTORY (empty, writable): the ways of every kind; escape DIRECTORY hidden: what a guest must not find at all;
// escape DIRECTORY mounts: through mounts in the directory.
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static volatile unsigned cookie = 0x600DC0DE;
static char base[256], path[600];
static int ways;
static int self_pid;

struct how { unsigned long long flags, mode, resolve; };
static int openat2_(int dir, const char *name, unsigned long long flags, unsigned long long resolve)
{
    struct how how = { flags, 0, resolve };
    return syscall(437, dir, name, &how, sizeof how);
}

static void say(const char *way, const char *result)
{
    printf("%3d %-52s %s\n", ++ways, way, result);
}

static void fail(const char *way)
{
    char text[64];
    snprintf(text, sizeof text, "errno %d", errno);
    say(way, text);
}

static int read_all(int fd, char *to, int size)
{
    int n, total = 0;
    while (total < size - 1 && (n = read(fd, to + total, size - 1 - total)) > 0)
        total += n;
    to[total] = 0;
    return total;
}

static char text[1 << 20];

// The text of maps or status belongs to this process.
static const char *whose(int fd)
{
    char pid[32];
    int n = read_all(fd, text, sizeof text);
    snprintf(pid, sizeof pid, "Pid:\t%d\n", self_pid);
    if (strstr(text, "coreclr") || strstr(text, "dynatrans") || strstr(text, ".dll"))
        return "FOREIGN";
    if (strstr(text, "/escape") || strstr(text, pid))
        return "own";
    return n > 0 ? "FOREIGN" : "nothing";
}

static const char *memory_of(int fd)
{
    unsigned seen = 0, other = 0x0BADF00D;
    if (pread64(fd, &seen, 4, (unsigned long)&cookie) != 4)
        return errno == EBADF ? "cannot be read" : "FOREIGN";
    if (seen != cookie)
        return "FOREIGN";
    if (pwrite64(fd, &other, 4, (unsigned long)&cookie) != 4)
        return "own, read only";
    if (cookie != other)
        return "FOREIGN";
    cookie = 0x600DC0DE;
    return "own";
}

static void memory(const char *way, int fd)
{
    if (fd < 0) {
        fail(way);
        return;
    }
    say(way, memory_of(fd));
    close(fd);
}

static void contents(const char *way, int fd)
{
    if (fd < 0) {
        fail(way);
        return;
    }
    say(way, whose(fd));
    close(fd);
}

static void both(const char *way, int dir, const char *prefix)
{
    char name[700], label[200];
    snprintf(name, sizeof name, "%smem", prefix);
    snprintf(label, sizeof label, "mem: %s", way);
    memory(label, openat(dir, name, O_RDWR));
    snprintf(name, sizeof name, "%smaps", prefix);
    snprintf(label, sizeof label, "maps: %s", way);
    contents(label, openat(dir, name, O_RDONLY));
}

static void spellings(void)
{
    static const char *const prefixes[] = {
        "/proc/self/", "/proc/./self/", "//proc//self//", "/./proc/self/", "/proc/../proc/self/", "/tmp/../proc/self/", "/proc/self/../self/",
        "/proc/self/./", "/proc/self/root/proc/self/", "/proc/thread-self/", "/proc/self/task/../", "/proc/self/cwd/../../../../../../proc/self/",
        "/dev/fd/../", "/proc/mounts/../self/", "/proc/net/../", "/proc/self/fd/../", "/proc/self/root/proc/self/root/proc/thread-self/",
        "/../../proc/self/", "/proc/sys/kernel/../../self/", "/proc/self/ns/../",
    };
    for (unsigned i = 0; i < sizeof prefixes / sizeof *prefixes; i++)
        both(prefixes[i], AT_FDCWD, prefixes[i]);
    snprintf(path, sizeof path, "/proc/%d/", self_pid);
    both("/proc/PID/", AT_FDCWD, path);
    snprintf(path, sizeof path, "/proc/%d/task/%d/", self_pid, self_pid);
    both("/proc/PID/task/PID/", AT_FDCWD, path);
    snprintf(path, sizeof path, "/proc/self/task/%d/../../", self_pid);
    both("/proc/self/task/PID/../../", AT_FDCWD, path);
    snprintf(path, sizeof path, "/proc/0%d/", self_pid);
    both("/proc/0PID/", AT_FDCWD, path);
    both("/proc/-1/", AT_FDCWD, "/proc/-1/");
}

static void directories(void)
{
    static const char *const names[] = { "/proc/self", "/proc/self/fd", "/proc", "/proc/self/task", "/proc/self/cwd", "/proc/self/root", "/proc/sys" };
    static const char *const onward[] = { "", "../", "self/", "../", "../../proc/self/", "proc/self/", "../self/" };
    char label[100];
    for (unsigned i = 0; i < sizeof names / sizeof *names; i++)
        for (int kind = 0; kind < 3; kind++) {
            int dir = kind == 2 ? openat2_(AT_FDCWD, names[i], O_PATH | O_DIRECTORY, 0) : open(names[i], (kind ? O_PATH : O_RDONLY) | O_DIRECTORY);
            // The working directory is the scratch directory, some levels deep.
            const char *rest = i == 4 ? "/proc/self/" : onward[i];
            snprintf(label, sizeof label, "%s of %s", kind == 2 ? "openat2" : kind ? "O_PATH" : "directory", names[i]);
            both(label, dir, rest);
            snprintf(label, sizeof label, "fchdir to %s (%d)", names[i], kind);
            if (fchdir(dir))
                fail(label);
            else
                both(label, AT_FDCWD, rest);
            if (chdir(base))
                fail("back");
            close(dir);
        }
    if (chdir("/proc/self"))
        fail("chdir");
    both("chdir to /proc/self", AT_FDCWD, "");
    if (getcwd(path, sizeof path))
        say("getcwd", atoi(path + 6) == self_pid ? "own" : "FOREIGN");
    if (chdir("fd") || chdir(".."))
        fail("chdir");
    both("chdir to fd and back", AT_FDCWD, "");
    if (chdir("/proc/self/fd") || chdir("../task"))
        fail("chdir");
    both("chdir to fd, ../task", AT_FDCWD, "../");
    if (chdir(base))
        fail("back");
}

static void links(void)
{
    static const char *const targets[] = { "/proc/self/", "/proc/", "/proc/thread-self", "/", "/proc/self/root", "/dev/fd/..", "loop2/proc" };
    static const char *const onward[] = { "/", "/self/", "/", "/proc/self/", "/proc/self/", "/", "/self/" };
    char name[400];
    symlink("/", "loop2");
    for (unsigned i = 0; i < sizeof targets / sizeof *targets; i++) {
        unlink("link");
        symlink(targets[i], "link");
        snprintf(name, sizeof name, "link to %s", targets[i]);
        snprintf(path, sizeof path, "link%s", onward[i]);
        both(name, AT_FDCWD, path);
        snprintf(path, sizeof path, "%s/link%s", base, onward[i]);
        snprintf(name, sizeof name, "absolute link to %s", targets[i]);
        both(name, AT_FDCWD, path);
    }
    unlink("link");
    symlink("/proc/self/mem", "link");
    memory("link to mem", open("link", O_RDWR));
    memory("link to mem, O_CREAT", open("link", O_RDWR | O_CREAT, 0666));
    memory("link to mem, O_TRUNC", open("link", O_RDWR | O_TRUNC));
    memory("link to mem, O_NOFOLLOW", open("link", O_RDWR | O_NOFOLLOW));
    memory("link to mem, O_CREAT O_EXCL", open("link", O_RDWR | O_CREAT | O_EXCL, 0666));
    symlink("link", "link1");
    memory("link to link to mem", open("link1", O_RDWR));
    unlink("link1");
    unlink("link");
    unlink("loop2");
    // 41 links in a chain are too many, 39 are not.
    for (int i = 0; i < 45; i++) {
        char from[20], to[20];
        snprintf(from, sizeof from, "c%d", i);
        snprintf(to, sizeof to, "c%d", i + 1);
        symlink(i == 44 ? "/proc/self" : to, from);
    }
    both("chain of 36 links", AT_FDCWD, "c10/");
    both("chain of 45 links", AT_FDCWD, "c0/");
    for (int i = 0; i < 45; i++) {
        char from[20];
        snprintf(from, sizeof from, "c%d", i);
        unlink(from);
    }
}

static void descriptors(void)
{
    char name[100];
    int fd = open("/proc/self/mem", O_PATH);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    memory("O_PATH of mem", dup(fd));
    memory("O_PATH of mem, by fd/N", open(name, O_RDWR));
    snprintf(name, sizeof name, "/dev/fd/%d", fd);
    memory("O_PATH of mem, by /dev/fd/N", open(name, O_RDWR));
    memory("openat of O_PATH, empty path", openat(fd, "", O_RDWR));
    close(fd);
    fd = open("/proc/self", O_PATH);
    snprintf(name, sizeof name, "/proc/self/fd/%d/", fd);
    both("through fd/N of O_PATH /proc/self", AT_FDCWD, name);
    snprintf(name, sizeof name, "/proc/thread-self/fd/%d/fd/../", fd);
    both("through thread-self/fd/N", AT_FDCWD, name);
    close(fd);
    fd = open("/proc/self/mem", O_RDONLY);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    memory("read-only mem", dup(fd));
    memory("read-only mem opened again for writing", open(name, O_RDWR));
    close(fd);

    int pair[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    static const char *const sent[] = { "/proc/self", "/proc/self/fd", "/proc", "/proc/self/mem", "/proc/self/maps" };
    for (unsigned i = 0; i < sizeof sent / sizeof *sent; i++)
        for (int flags = 0; flags < 2; flags++) {
            char byte = 1, control[64] = { 0 }, label[100];
            struct iovec vector = { &byte, 1 };
            struct msghdr message = { .msg_iov = &vector, .msg_iovlen = 1, .msg_control = control, .msg_controllen = CMSG_SPACE(sizeof(int)) };
            struct cmsghdr *head = CMSG_FIRSTHDR(&message);
            fd = open(sent[i], flags && i < 3 ? O_PATH : i == 3 ? O_RDWR : O_RDONLY);
            head->cmsg_len = CMSG_LEN(sizeof fd);
            head->cmsg_level = SOL_SOCKET;
            head->cmsg_type = SCM_RIGHTS;
            memcpy(CMSG_DATA(head), &fd, sizeof fd);
            sendmsg(pair[0], &message, 0);
            close(fd);
            memset(control, 0, sizeof control);
            message.msg_controllen = sizeof control;
            recvmsg(pair[1], &message, 0);
            head = CMSG_FIRSTHDR(&message);
            fd = -1;
            if (head)
                memcpy(&fd, CMSG_DATA(head), sizeof fd);
            snprintf(label, sizeof label, "received %s (%d)", sent[i], flags);
            if (i < 3)
                both(label, fd, i == 0 ? "" : i == 1 ? "../" : "self/");
            else if (i == 3)
                memory(label, dup(fd));
            else
                contents(label, dup(fd));
            close(fd);
        }
    close(pair[0]);
    close(pair[1]);
}

static void openat2_ways(void)
{
    static const struct { const char *name; unsigned long long resolve; } ways[] = {
        { "NO_XDEV", 1 }, { "NO_MAGICLINKS", 2 }, { "NO_SYMLINKS", 4 }, { "BENEATH", 8 }, { "IN_ROOT", 16 },
    };
    char label[100];
    int root = open("/", O_PATH | O_DIRECTORY), proc = open("/proc", O_PATH | O_DIRECTORY), own = open("/proc/self", O_PATH | O_DIRECTORY);
    for (unsigned i = 0; i < sizeof ways / sizeof *ways; i++) {
        snprintf(label, sizeof label, "openat2 %s /proc/self/mem", ways[i].name);
        memory(label, openat2_(root, "/proc/self/mem", O_RDWR, ways[i].resolve));
        snprintf(label, sizeof label, "openat2 %s proc/self/mem", ways[i].name);
        memory(label, openat2_(root, "proc/self/mem", O_RDWR, ways[i].resolve));
        snprintf(label, sizeof label, "openat2 %s self/mem", ways[i].name);
        memory(label, openat2_(proc, "self/mem", O_RDWR, ways[i].resolve));
        snprintf(label, sizeof label, "openat2 %s mem", ways[i].name);
        memory(label, openat2_(own, "mem", O_RDWR, ways[i].resolve));
        snprintf(label, sizeof label, "openat2 %s ../self/mem", ways[i].name);
        memory(label, openat2_(own, "../self/mem", O_RDWR, ways[i].resolve));
        snprintf(label, sizeof label, "openat2 %s root/proc/self/mem", ways[i].name);
        memory(label, openat2_(own, "root/proc/self/mem", O_RDWR, ways[i].resolve));
    }
    close(root);
    close(proc);
    close(own);
}

static void result(const char *way, long value, int foreign)
{
    char line[64];
    snprintf(line, sizeof line, value < 0 ? "errno %d" : foreign ? "FOREIGN" : "done", errno);
    say(way, line);
}

static void other_calls(void)
{
    static const char *const spelt[] = { "/proc/self/", "link/", "//proc/./self/" };
    char name[300], label[100];
    struct stat status, exe;
    struct statfs system;
    symlink("/proc/self", "link");
    stat("/proc/self/exe", &exe);
    for (unsigned i = 0; i < 3; i++) {
        const char *s = spelt[i];
#define AT(rest) (snprintf(name, sizeof name, "%s%s", s, rest), snprintf(label, sizeof label, "%s", name), name)
        char target[300];
        int n = readlink(AT("exe"), target, sizeof target - 1);
        target[n > 0 ? n : 0] = 0;
        say(label, strstr(target, "/escape") ? "own" : "FOREIGN");
        n = readlink(AT("cwd"), target, sizeof target - 1);
        target[n > 0 ? n : 0] = 0;
        say(label, strcmp(target, base) ? "FOREIGN" : "own");
        say(AT("exe stat"), stat(AT("exe"), &status) == 0 && status.st_ino == exe.st_ino && S_ISREG(status.st_mode) ? "own" : "FOREIGN");
        n = lstat(AT("exe"), &status);
        result("lstat", n, !S_ISLNK(status.st_mode));
        result("stat fd/0", stat(AT("fd/0"), &status), 0);
        struct stat in;
        fstat(0, &in);
        say("stat fd/0 is standard input", status.st_ino == in.st_ino && status.st_dev == in.st_dev ? "own" : "FOREIGN");
        result("access mem", access(AT("mem"), R_OK | W_OK), 0);
        result("access fd/300", access(AT("fd/300"), F_OK), 0);
        n = statfs(AT("mem"), &system);
        result("statfs mem", n, system.f_type != 0x9FA0);
        result("truncate comm", truncate(AT("comm"), 0), 0);
        result("chmod comm", chmod(AT("comm"), 0600), 0);
        result("rename", rename(AT("comm"), "renamed"), 0);
        result("rename over", rename("link", AT("comm")), 0);
        result("link", link(AT("comm"), "linked"), 0);
        result("symlink in /proc/self", symlink("x", AT("x")), 0);
        result("mkdir in /proc/self", mkdir(AT("x"), 0755), 0);
        result("mkdir fd", mkdir(AT("fd"), 0755), 0);
        result("mknod in /proc/self", mknod(AT("x"), S_IFREG | 0600, 0), 0);
        result("unlink mem", unlink(AT("mem")) + 0L, 0);
        result("rmdir fd", rmdir(AT("fd")), 0);
        result("create in /proc/self", open(AT("x"), O_CREAT | O_RDWR, 0600), 0);
        result("getxattr mem", getxattr(AT("mem"), "user.x", target, sizeof target), 0);
        result("setxattr mem", setxattr(AT("mem"), "user.x", "x", 1, 0), 0);
        int watcher = inotify_init1(IN_CLOEXEC);
        result("inotify mem", inotify_add_watch(watcher, AT("mem"), IN_ACCESS) > 0 ? 0 : -1, 0);
        close(watcher);
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
        snprintf(address.sun_path, sizeof address.sun_path, "%s", AT("mem"));
        result("connect to mem", connect(socket_, (void *)&address, sizeof address), 0);
        close(socket_);
        socket_ = socket(AF_UNIX, SOCK_STREAM, 0);
        snprintf(address.sun_path, sizeof address.sun_path, "%s", AT("cwd/sock"));
        n = bind(socket_, (void *)&address, sizeof address);
        result("bind cwd/sock", n, access("sock", F_OK));
        close(socket_);
        unlink("sock");
        if (fork() == 0) {
            char *arguments[] = { "x", 0 };
            execv(AT("mem"), arguments);
            printf("errno %d\n", errno);
            _exit(0);
        }
        wait(0);
        if (fork() == 0) {
            char *arguments[] = { "escape", base, "hello", 0 };
            execv(AT("exe"), arguments);
            _exit(0);
        }
        wait(0);
        int dir = open(AT("."), O_PATH | O_DIRECTORY);
        int sub = openat(dir, "fd", O_RDONLY | O_DIRECTORY), count = 0, wrong = 0;
        DIR *list = fdopendir(sub);
        struct dirent *entry;
        while ((entry = readdir(list)))
            if (entry->d_name[0] != '.') {
                count++;
                wrong += fcntl(atoi(entry->d_name), F_GETFD) < 0;
            }
        closedir(list);
        say("fd listed by descriptor", wrong ? "FOREIGN" : count > 3 ? "own" : "nothing");
        n = fstatat(dir, "mem", &status, 0);
        result("fstatat mem", n, status.st_uid != geteuid());
        result("faccessat fd/300", faccessat(dir, "fd/300", F_OK, 0), 0);
        n = readlinkat(dir, "exe", target, sizeof target - 1);
        target[n > 0 ? n : 0] = 0;
        say("readlinkat exe", strstr(target, "/escape") ? "own" : "FOREIGN");
        result("unlinkat mem", unlinkat(dir, "mem", 0), 0);
        result("utimensat x", utimensat(dir, "x", 0, 0), 0);
        contents("status by descriptor", openat(dir, "status", O_RDONLY));
        contents("smaps by descriptor", openat(dir, "smaps", O_RDONLY));
        close(dir);
    }
    unlink("link");
    int file = open("/proc/self/maps", O_RDONLY), out = open("copy", O_RDWR | O_CREAT | O_TRUNC, 0600);
    while (sendfile(out, file, 0, 65536) > 0)
        ;
    lseek(out, 0, SEEK_SET);
    contents("sendfile of maps", out);
    close(file);
    unlink("copy");
    say("mmap of maps", mmap(0, 4096, PROT_READ, MAP_PRIVATE, file = open("/proc/self/maps", O_RDONLY), 0) == MAP_FAILED ? "nothing" : "FOREIGN");
    close(file);
}

// A link is turned back and forth while it is followed: what was judged must be what is opened.
static volatile int stop;
static void *turn(void *unused)
{
    while (!stop) {
        rename("to-proc", "turning");
        symlink("/proc/self", "to-proc");
        rename("to-here", "turning");
        symlink("plain", "to-here");
    }
    return unused;
}

static void race(void)
{
    pthread_t thread;
    int foreign = 0;
    mkdir("plain", 0755);
    close(open("plain/mem", O_CREAT | O_RDWR, 0600));
    symlink("/proc/self", "to-proc");
    symlink("plain", "to-here");
    pthread_create(&thread, 0, turn, 0);
    for (int i = 0; i < 2000; i++) {
        int fd = open("turning/mem", O_RDWR);
        struct stat status;
        if (fd < 0)
            continue;
        if (fstat(fd, &status) == 0 && status.st_nlink == 1 && (status.st_mode & 0777) == 0600) {
            unsigned seen = cookie;
            long n = pread64(fd, &seen, 4, (unsigned long)&cookie);
            foreign += n > 0 && seen != cookie;
            foreign += n < 0 && errno == EIO;
        }
        close(fd);
        fd = open("turning/../escape-no-such-file", O_RDONLY);
        if (fd >= 0)
            foreign++;
    }
    stop = 1;
    pthread_join(thread, 0);
    say("2000 opens of a link that is turned", foreign ? "FOREIGN" : "own");
    unlink("plain/mem");
    rmdir("plain");
    unlink("to-proc");
    unlink("to-here");
    unlink("turning");
}

static void settings(void)
{
    static const struct { const char *name, *value; } all[] = {
        { "comm", "renamed" }, { "oom_score_adj", "321" }, { "oom_score_adj", "1001" }, { "oom_adj", "15" }, { "coredump_filter", "0x7f" },
        { "timerslack_ns", "60000" }, { "timerslack_ns", "0" }, { "clear_refs", "1" }, { "clear_refs", "9" }, { "setgroups", "deny" },
        { "uid_map", "0 0 1" }, { "attr/current", "x" }, { "task/SELF/comm", "thread" },
    };
    for (unsigned i = 0; i < sizeof all / sizeof *all; i++) {
        char label[100], value[100];
        snprintf(label, sizeof label, "/proc/self/%s", all[i].name);
        if (strstr(all[i].name, "SELF"))
            snprintf(label, sizeof label, "/proc/self/task/%d/comm", self_pid);
        int fd = open(label, O_WRONLY);
        long n = fd < 0 ? -1 : write(fd, all[i].value, strlen(all[i].value));
        snprintf(label, sizeof label, "set %s to %s", all[i].name, all[i].value);
        if (strcmp(all[i].name, "setgroups") && strcmp(all[i].name, "uid_map"))
            result(label, n, 0);
        else
            say(label, n < 0 ? "refused" : "FOREIGN");
        close(fd);
        snprintf(label, sizeof label, "/proc/self/%s", all[i].name);
        if (i != 6 && i < 7 && (fd = open(label, O_RDONLY)) >= 0) {
            read_all(fd, value, sizeof value);
            value[strcspn(value, "\n")] = 0;
            say(label, value);
            close(fd);
        }
    }
}

// What only a guest's host could show: threads of the host near this process's number, descriptors that this process never opened, and the
// first process's number when it has gone.
static void hidden(void)
{
    char name[100];
    static const char *const files[] = { "mem", "maps", "status", "cmdline", "fd", "root/etc/passwd", "cwd/.", "exe", "environ", "task", "stat" };
    int found = 0;
    for (int number = self_pid > 400 ? self_pid - 400 : 1; number < self_pid + 400; number++) {
        if (number == self_pid)
            continue;
        for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
            snprintf(name, sizeof name, "/proc/%d/%s", number, files[i]);
            int fd = open(name, O_RDONLY);
            found += fd >= 0;
            found += access(name, F_OK) == 0;
            close(fd);
        }
    }
    say("other processes by number", found ? "FOREIGN" : "nothing");
    found = 0;
    for (int number = 0; number < 1024; number++) {
        snprintf(name, sizeof name, "/proc/self/fd/%d", number);
        char target[256];
        if (readlink(name, target, sizeof target) > 0 && fcntl(number, F_GETFD) < 0)
            found++;
        if (open(name, O_PATH) >= 0 && fcntl(number, F_GETFD) < 0)
            found++;
    }
    say("descriptors of others", found ? "FOREIGN" : "nothing");
    static const char *const absent[] = {
        "kcore", "kmsg", "kpageflags", "kpagecount", "sysrq-trigger", "1/mem", "1/maps", "self/map_files", "self/task/1/mem",
    };
    for (unsigned i = 0; i < sizeof absent / sizeof *absent; i++) {
        snprintf(name, sizeof name, "/proc/%s", absent[i]);
        say(name, open(name, O_RDONLY) < 0 ? "nothing" : "FOREIGN");
    }
    static const char *const constant[] = { "/proc/sys/vm/overcommit_memory", "/proc/sys/kernel/core_pattern", "/proc/sys/kernel/../vm/swappiness", "/proc/mtrr" };
    for (unsigned i = 0; i < sizeof constant / sizeof *constant; i++)
        say(constant[i], open(constant[i], O_WRONLY) < 0 && open(constant[i], O_RDWR | O_TRUNC) < 0 ? "cannot be written" : "FOREIGN");
    int first = self_pid;
    int ready[2];
    pipe(ready);
    if (fork() == 0) {
        char byte;
        close(ready[1]);
        read(ready[0], &byte, 1);
        for (int i = 0; i < 500; i++) {
            snprintf(name, sizeof name, "/proc/%d", first);
            if (access(name, F_OK))
                break;
            usleep(10000);
        }
        for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
            snprintf(name, sizeof name, "/proc/%d/%s", first, files[i]);
            say(files[i], open(name, O_RDONLY) < 0 ? "nothing" : "FOREIGN");
        }
        self_pid = getpid();
        both("an orphan's own", AT_FDCWD, "/proc/self/");
        snprintf(name, sizeof name, "/proc/%d/", self_pid);
        both("an orphan's own by number", AT_FDCWD, name);
        _exit(0);
    }
}

// The directory has: p, another procfs; b, /proc; own, the directory of this process in /proc; ownmaps and ownmem, files of it.
static void mounts(void)
{
    both("another procfs", AT_FDCWD, "p/self/");
    both("another procfs, absolute link", AT_FDCWD, "p/self/root/proc/self/");
    both("/proc bound elsewhere", AT_FDCWD, "b/self/");
    both("/proc bound elsewhere, task", AT_FDCWD, "b/thread-self/");
    both("own directory bound elsewhere", AT_FDCWD, "own/");
    both("up and down", AT_FDCWD, "own/../b/self/");
    both("fd of it", AT_FDCWD, "own/fd/../");
    contents("maps bound elsewhere", open("ownmaps", O_RDONLY));
    memory("mem bound elsewhere", open("ownmem", O_RDWR));
    int dir = open("own", O_RDONLY | O_DIRECTORY);
    both("descriptor of it", dir, "");
    if (fchdir(dir) || chdir("task"))
        fail("chdir");
    both("working directory", AT_FDCWD, "../");
    struct stat status;
    if (chdir(base) || chdir("b"))
        fail("chdir");
    int n = stat("self/mem", &status);
    result("stat", n, !S_ISREG(status.st_mode));
    both("working directory b", AT_FDCWD, "self/");
}

int main(int count, char **arguments)
{
    if (count < 2 || chdir(arguments[1]) || !getcwd(base, sizeof base))
        return 2;
    self_pid = getpid();
    setvbuf(stdout, 0, _IOLBF, 0);
    if (count > 2 && !strcmp(arguments[2], "hello")) {
        puts("started again");
        return 0;
    }
    if (count > 2 && !strcmp(arguments[2], "mounts")) {
        mounts();
        return 0;
    }
    if (count > 2) {
        hidden();
        return 0;
    }
    spellings();
    directories();
    links();
    descriptors();
    openat2_ways();
    other_calls();
    race();
    settings();
    return 0;
}
