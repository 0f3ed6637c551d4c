/* Fails syncs of chosen files (LD_PRELOAD): as a disk does that reports an error once and then looks well.
 *
 * FAILING_ORDER  a file; while it exists, syncs of files whose path contains its content fail with EIO
 * FAILING_LOG    a file that gets a line with the path for each sync that failed
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int ordered(int descriptor) {
    char order[256] = "", link[64], path[4096] = "";
    const char *place = getenv("FAILING_ORDER"), *log = getenv("FAILING_LOG");
    int kept = errno, file = place ? open(place, O_RDONLY | O_CLOEXEC) : -1;
    errno = kept;
    if (file < 0) return 0;
    ssize_t length = read(file, order, sizeof order - 1);
    close(file);
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    if (length <= 0 || readlink(link, path, sizeof path - 2) < 0 || !strstr(path, order)) return 0;
    strcat(path, "\n");
    file = open(log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    if (file < 0 || write(file, path, strlen(path)) < 0) abort();
    close(file);
    errno = EIO;
    return 1;
}

int fsync(int descriptor) { return ordered(descriptor) ? -1 : (int)syscall(SYS_fsync, descriptor); }

int fdatasync(int descriptor) { return ordered(descriptor) ? -1 : (int)syscall(SYS_fdatasync, descriptor); }
