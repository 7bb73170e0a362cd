/* gcc -fsanitize=thread: with a second argument two threads write without a lock. Prints to the file that the first one names. */
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static int guarded, shared;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static void *work(void *racing)
{
    for (int i = 0; i < 3000; i++) {
        pthread_mutex_lock(&lock);
        guarded++;
        pthread_mutex_unlock(&lock);
    }
    if (racing)
        shared = 1;
    return NULL;
}

int main(int argc, char **argv)
{
    pthread_t threads[3];
    int fd = open(argv[1], O_WRONLY | O_CREAT | O_APPEND, 0600);
    dup2(fd, 1);
    dup2(fd, 2);
    setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 0; i < 3; i++)
        pthread_create(&threads[i], NULL, work, argc > 2 && i == 2 ? &shared : NULL);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    if (argc > 2) {
        sleep(1);
        shared = 2;
    }
    pthread_join(threads[2], NULL);
    printf("hello %d %d\n", guarded, shared);
    return 0;
}
