// The rules of paths, by every call that takes one: results and error numbers are those of the native run.
// usage: paths DIRECTORY (empty, writable)
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <unistd.h>

static void print(int line, const char *what, long result)
{
    int error = errno;
    printf("%d %s: %ld", line, what, result < 0 ? -1 : result);
    if (result < 0)
        printf(" %d", error);
    putchar('\n');
}
#define R(call) (errno = 0, print(__LINE__, #call, (long)(call)))
#define Z(call) (errno = 0, print(__LINE__, #call, (call) < 0 ? -1L : 0L))

struct how { unsigned long long flags, mode, resolve; };
static int openat2_(int dir, const char *name, unsigned long long flags, unsigned long long mode, unsigned long long resolve)
{
    struct how how = { flags, mode, resolve };
    return syscall(437, dir, name, &how, sizeof how);
}

static struct stat status;
static char text[4096];

static void names(void)
{
    R(mkdir("d", 0777));
    R(mkdir("d/", 0777));
    R(mkdir("e/", 0777));
    R(mkdir(".", 0777));
    R(mkdir("/", 0777));
    R(mkdir("..", 0777));
    R(mkdir("", 0777));
    R(mkdir("no/x", 0777));
    Z(open("f", O_CREAT | O_RDWR, 0666));
    R(mkdir("f/x", 0777));
    R(mkdir("f", 0777));
    R(symlink("f", "lf"));
    R(symlink("d", "ld"));
    R(symlink("nothing", "dangling"));
    R(symlink("loop", "loop"));
    R(symlink("", "empty"));
    R(symlink("x", "ld"));
    R(rmdir("d/."));
    R(rmdir("d/.."));
    R(rmdir("ld"));
    R(rmdir("ld/"));
    R(unlink("d"));
    R(unlink("f/"));
    R(unlink("/"));
    R(unlink("."));
    R(rmdir("/"));
    R(rename("f", "f/"));
    R(rename("f", "d"));
    R(rename("d", "f"));
    R(rename(".", "q"));
    R(rename("e/", "e2/"));
    R(rename("e2", "e"));
    R(rename("f", ""));
    R(syscall(SYS_renameat2, AT_FDCWD, "f", AT_FDCWD, "lf", 1));
    R(link("f", "hard"));
    R(link("lf", "hardlink"));
    R(lstat("hardlink", &status));
    R(S_ISLNK(status.st_mode));
    R(linkat(AT_FDCWD, "lf", AT_FDCWD, "followed", AT_SYMLINK_FOLLOW));
    R(lstat("followed", &status));
    R(S_ISREG(status.st_mode));
    R(linkat(AT_FDCWD, "f", AT_FDCWD, "x", 0x80000));
    R(link("d", "dd"));
    R(link("no", "nn"));
    R(mknod("fifo", S_IFIFO | 0666, 0));
    R(mknod("fifo", S_IFIFO | 0666, 0));
    R(unlink("hard"));
    R(unlink("hardlink"));
    R(unlink("followed"));
}

static void opening(void)
{
    int fd;
    Z(open("", O_RDONLY));
    Z(open("f/", O_RDONLY));
    Z(open("lf/", O_RDONLY));
    Z(open("ld/", O_RDONLY));
    Z(open("ld/../f", O_RDONLY));
    Z(open("lf", O_RDONLY | O_NOFOLLOW));
    Z(open("lf", O_PATH | O_NOFOLLOW));
    Z(open("loop", O_RDONLY));
    Z(open("empty", O_RDONLY));
    Z(open("f/../f", O_RDONLY));
    Z(open("d", O_RDWR));
    Z(open("d", O_RDONLY | O_CREAT, 0600));
    Z(open("f", O_RDONLY | O_DIRECTORY));
    Z(open("new/", O_CREAT | O_RDWR, 0600));
    Z(open("dangling", O_RDONLY));
    Z(open("dangling", O_CREAT | O_EXCL | O_RDWR, 0600));
    Z(open("dangling", O_CREAT | O_RDWR, 0640));
    R(stat("nothing", &status));
    R(status.st_mode & 0777);
    R(unlink("nothing"));
    umask(027);
    Z(open("masked", O_CREAT | O_RDWR, 0666));
    R(mkdir("masked.d", 0777));
    R(stat("masked", &status));
    R(status.st_mode & 07777);
    R(stat("masked.d", &status));
    R(status.st_mode & 07777);
    umask(022);
    fd = open("d", O_TMPFILE | O_RDWR, 0600);
    R(fd >= 0);
    R(write(fd, "text", 4));
    snprintf(text, sizeof text, "/proc/self/fd/%d", fd);
    R(linkat(AT_FDCWD, text, AT_FDCWD, "materialised", AT_SYMLINK_FOLLOW));
    R(stat("materialised", &status));
    R(status.st_size);
    Z(open("f", O_TMPFILE | O_RDWR, 0600));
    fd = open("f", O_PATH);
    R(read(fd, text, 1));
    R(fchmod(fd, 0600));
    R(fstat(fd, &status));
    R(fchownat(fd, "", -1, -1, AT_EMPTY_PATH));
    R(fstatat(fd, "", &status, AT_EMPTY_PATH));
    R(fstatat(fd, "", &status, 0));
    R(fstatat(fd, "x", &status, 0));
    R(fstatat(AT_FDCWD, "", &status, AT_EMPTY_PATH));
    R(S_ISDIR(status.st_mode));
    R(fstatat(AT_FDCWD, "f", &status, 0x4000000));
    Z(openat(fd, "x", O_RDONLY));
    Z(openat(99, "x", O_RDONLY));
    Z(openat(99, "/", O_RDONLY));
    Z(open("/proc/self/cwd/d", O_RDONLY | O_CREAT, 0600));
    Z(open("/proc/self/cwd/d/", O_RDONLY | O_CREAT, 0600));
    Z(open("/proc/self/cwd/new/", O_RDWR | O_CREAT, 0600));
    Z(open("/proc/self/cwd/no/new", O_RDWR | O_CREAT, 0600));
    Z(open("/proc/self/cwd/created", O_RDWR | O_CREAT, 0604));
    Z(open("/proc/self/cwd/created", O_RDWR | O_CREAT | O_EXCL, 0604));
    Z(open("/proc/self/cwd/created", O_RDWR | O_CREAT | O_TRUNC, 0600));
    Z(open("/proc/self/cwd/ld/../created/", O_RDONLY));
    Z(open("/proc/self/cwd/lf", O_RDWR | O_NOFOLLOW));
    Z(open("/proc/self/cwd/dangling2", O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
    Z(open("/proc/self/cwd/d", O_RDWR | O_TMPFILE, 0600));
    R(mkdir("/proc/self/cwd/made", 0711));
    R(rename("/proc/self/cwd/made", "/proc/self/cwd/d/made"));
    R(rmdir("/proc/self/cwd/d/made/"));
    R(stat("/proc/self/cwd/created", &status));
    R(status.st_mode & 0777);
    R(unlink("/proc/self/cwd/created"));
    Z(open("fifo", O_WRONLY | O_NONBLOCK));
    Z(open("fifo", O_RDONLY | O_NONBLOCK));
    Z(openat2_(AT_FDCWD, "f", O_RDONLY | 0x80000000, 0, 0));
    Z(openat2_(AT_FDCWD, "f", O_RDONLY, 0600, 0));
    Z(openat2_(AT_FDCWD, "f", O_RDONLY, 0, 0x100));
    Z(openat2_(AT_FDCWD, "lf", O_RDONLY, 0, 4));
    Z(openat2_(AT_FDCWD, "../x", O_RDONLY, 0, 8));
    Z(openat2_(AT_FDCWD, "d/../f", O_RDONLY, 0, 8));
    Z(openat2_(AT_FDCWD, "/f", O_RDONLY, 0, 16));
    Z(openat2_(AT_FDCWD, "../../f", O_RDONLY, 0, 16));
    Z(openat2_(AT_FDCWD, "new2", O_RDWR | O_CREAT, 0600, 8));
    Z(openat2_(AT_FDCWD, "f", O_PATH | O_RDWR, 0, 0));
    Z(openat2_(AT_FDCWD, "/dev/stdin", O_RDONLY, 0, 2));
    Z(openat2_(AT_FDCWD, "f", O_RDONLY, 0, 8 | 16));
    for (int i = 0; i < 45; i++) {
        char from[20], to[20];
        snprintf(from, sizeof from, "c%d", i);
        snprintf(to, sizeof to, i == 44 ? "f" : "c%d", i + 1);
        symlink(to, from);
    }
    Z(open("c5", O_RDONLY));
    Z(open("c4", O_RDONLY));
    Z(open("c3", O_RDONLY));
    memset(text, 'a', 300);
    text[300] = 0;
    Z(open(text, O_RDONLY));
}

static void properties(void)
{
    struct timespec times[2] = { { 1000, 5 }, { 2000, 7 } };
    struct statfs system;
    R(readlink("f", text, 100));
    R(readlink("lf", text, 100));
    R(readlink("lf/", text, 100));
    R(readlink("no", text, 100));
    R(readlink("", text, 100));
    R(readlinkat(open("lf", O_PATH | O_NOFOLLOW), "", text, 100));
    R(readlinkat(open("f", O_PATH), "", text, 100));
    R(chmod("lf", 0640));
    R(stat("f", &status));
    R(status.st_mode & 0777);
    R(chmod("dangling", 0640));
    R(syscall(SYS_fchmodat, AT_FDCWD, "f", 0600));
    R(chown("lf", -1, -1));
    R(lchown("dangling", -1, -1));
    R(fchownat(AT_FDCWD, "dangling", -1, -1, 0));
    R(utimensat(AT_FDCWD, "lf", times, 0));
    R(stat("f", &status));
    R(status.st_mtim.tv_sec);
    R(lstat("lf", &status));
    R(status.st_mtim.tv_sec > 2000);
    R(utimensat(AT_FDCWD, "lf", times, AT_SYMLINK_NOFOLLOW));
    R(lstat("lf", &status));
    R(status.st_mtim.tv_sec);
    R(utimensat(AT_FDCWD, "f", times, 0x10));
    R(access("lf", R_OK));
    R(access("dangling", F_OK));
    R(faccessat(AT_FDCWD, "dangling", F_OK, AT_SYMLINK_NOFOLLOW));
    R(access("f", 8));
    R(access("f/x", F_OK));
    R(truncate("lf", 100));
    R(truncate("d", 100));
    R(truncate("f", -1));
    R(truncate("no", 1));
    R(stat("f", &status));
    R(status.st_size);
    R(statfs("lf", &system));
    R(statfs("no", &system));
    R(setxattr("lf", "user.test", "value", 5, 0));
    R(getxattr("f", "user.test", text, 100));
    R(lgetxattr("lf", "user.test", text, 100));
    R(lsetxattr("lf", "user.test", "value", 5, 0));
    R(listxattr("f", text, 100));
    R(removexattr("lf", "user.test"));
    R(getxattr("no", "user.test", text, 100));
    int watch = inotify_init1(IN_NONBLOCK);
    R(inotify_add_watch(watch, "lf", IN_OPEN));
    R(inotify_add_watch(watch, "f", IN_OPEN));
    R(inotify_add_watch(watch, "lf", IN_OPEN | IN_DONT_FOLLOW));
    R(inotify_add_watch(watch, "f", IN_OPEN | IN_ONLYDIR));
    R(inotify_add_watch(watch, "d", IN_OPEN | IN_ONLYDIR));
    R(inotify_add_watch(watch, "no", IN_OPEN));
    Z(open("f", O_RDONLY));
    R(read(watch, text, sizeof text));
    R(chdir("f"));
    R(chdir("no"));
    R(chdir("ld"));
    R(getcwd(text, sizeof text) != 0);
    R(strcmp(strrchr(text, '/'), "/d"));
    R(fchdir(open("../f", O_RDONLY)));
    R(fchdir(open("..", O_PATH)));
    R(access("lf", F_OK));
}

static int bound(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    socklen_t size = sizeof address;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
    if (bind(fd, (void *)&address, sizeof address) < 0)
        return -1;
    memset(&address, 0, sizeof address);
    getsockname(fd, (void *)&address, &size);
    printf("bound to %s %d\n", strcmp(address.sun_path, name) ? address.sun_path : "itself", (int)size == 3 + (int)strlen(name));
    listen(fd, 5);
    return fd;
}

static int connected(const char *name)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    socklen_t size = sizeof address;
    int fd = socket(AF_UNIX, SOCK_STREAM, 0), result;
    snprintf(address.sun_path, sizeof address.sun_path, "%s", name);
    result = connect(fd, (void *)&address, sizeof address);
    if (result == 0) {
        memset(&address, 0, sizeof address);
        getpeername(fd, (void *)&address, &size);
        printf("peer is called %.2s...\n", address.sun_path);
    }
    close(fd);
    return result;
}

static void sockets(const char *base)
{
    char name[108];
    umask(077);
    Z(bound("sock"));
    R(stat("sock", &status));
    R(status.st_mode & 07777);
    umask(022);
    Z(bound("sock"));
    Z(bound("d/sock"));
    Z(bound("no/sock"));
    Z(bound("f/sock"));
    Z(bound("dangling"));
    Z(bound("ld/sock2"));
    snprintf(name, sizeof name, "%s/d/sock3", base);
    Z(bound(name));
    Z(connected(name));
    Z(connected("sock"));
    Z(connected("d/sock"));
    Z(connected("ld/sock2"));
    symlink("sock", "lsock");
    Z(connected("lsock"));
    Z(connected("f"));
    Z(connected("no"));
    Z(connected("d"));
    Z(open("sock", O_RDWR));
}

static void executing(char *self)
{
    char *arguments[] = { "paths", 0 }, *environment[] = { 0 };
    int fd = open(self, O_RDONLY);
    R(execve("f", arguments, environment));
    R(execve("d", arguments, environment));
    R(execve("no", arguments, environment));
    R(execve("f/x", arguments, environment));
    R(execve("", arguments, environment));
    R(execve("loop", arguments, environment));
    R(execve("fifo", arguments, environment));
    for (int i = 0; i < 3; i++) {
        if (fork() == 0) {
            if (i == 0)
                execve("/proc/self/exe", arguments, environment);
            else if (i == 1)
                syscall(SYS_execveat, fd, "", arguments, environment, AT_EMPTY_PATH);
            else {
                snprintf(text, sizeof text, "/dev/fd/%d", fd);
                execve(text, arguments, environment);
            }
            _exit(1);
        }
        wait(0);
    }
}

int main(int count, char **arguments)
{
    char base[300];
    setvbuf(stdout, 0, _IOLBF, 0);
    if (count < 2) {
        puts("started again");
        return 0;
    }
    if (chdir(arguments[1]) || !getcwd(base, sizeof base))
        return 2;
    umask(022);
    names();
    opening();
    properties();
    sockets(base);
    executing(arguments[0]);
    return 0;
}
