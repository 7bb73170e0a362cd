// What descriptors 5 to 9, which were opened in /proc before this program began, stand for now.
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static char text[1 << 20];
static unsigned cookie = 0x600DC0DE;

static const char *own(int fd, const char *mark)
{
    int n, total = 0;
    while (total < (int)sizeof text - 1 && (n = read(fd, text + total, sizeof text - 1 - total)) > 0)
        total += n;
    text[total] = 0;
    return strstr(text, "coreclr") ? "FOREIGN" : strstr(text, mark) ? "own" : "nothing";
}

int main(void)
{
    char pid[32];
    unsigned seen = 0;
    snprintf(pid, sizeof pid, "Pid:\t%d\n", getpid());
    printf("maps %s\n", own(5, "/escape"));
    printf("directory %s\n", own(openat(6, "maps", O_RDONLY), "/escape"));
    printf("mem %s\n", pread64(7, &seen, 4, (unsigned long)&cookie) == 4 && seen == cookie ? "own" : "nothing");
    printf("status %s\n", own(8, pid));
    printf("version %s\n", own(9, "Linux version"));
    return 0;
}
