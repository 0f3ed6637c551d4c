/* Records what a process does to the files below one folder, for replaying power cuts (LD_PRELOAD; see replay.py).
 *
 * RECORD_LOG    the log that is appended to
 * RECORD_ROOT   the folder, which exists already
 * RECORD_MARKS  a path: what is written to it becomes marks in the log, in order with everything else
 *
 * Every call is made and logged under one lock, so the order of the log is the order of the calls. A sync is logged
 * twice, before the call and after it succeeded, and holds no lock between: it covers what was logged before the first.
 *
 * What it cannot show: writes through mmap (SQLite maps only its WAL index, which is rebuilt from the log at each start
 * and is no part of what must survive), fallocate, copy_file_range, sendfile, io_uring, descriptors made by dup, and
 * whatever a kernel or a disk does besides: it records what was asked, and the replay assumes the least that POSIX
 * promises of it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { CREATE = 1, NAMELESS, WRITE, TRUNCATE, LINK, UNLINK, RENAME, MKDIR, SYNC, SYNCED, MARK, ROOT };

struct __attribute__((packed)) entry {
    uint8_t kind;
    uint64_t folder, file, number;
    uint32_t first, second;
};

#define DESCRIPTORS 65536
#define FOLDERS 4096
#define MARKS 1

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int log_descriptor = -1;
static const char *marks;
static uint64_t files[DESCRIPTORS]; /* the inode behind a descriptor, MARKS for the marks, 0 for what is not ours */
static uint64_t folders[FOLDERS];   /* the inodes of the root and of every folder below it */
static int folder_count;
static uint64_t tickets;

static void append(const void *data, size_t length) {
    const char *at = data;
    while (length > 0) {
        long written = syscall(SYS_write, log_descriptor, at, length);
        if (written <= 0) abort();
        at += written;
        length -= (size_t)written;
    }
}

static void record(int kind, uint64_t folder, uint64_t file, uint64_t number, const void *first, size_t first_length,
                   const void *second, size_t second_length) {
    struct entry entry = {(uint8_t)kind, folder, file, number, (uint32_t)first_length, (uint32_t)second_length};
    int kept = errno;
    append(&entry, sizeof entry);
    append(first, first_length);
    append(second, second_length);
    errno = kept;
}

static int is_folder(uint64_t inode) {
    for (int i = 0; i < folder_count; i++)
        if (folders[i] == inode) return 1;
    return 0;
}

static void add_folder(uint64_t inode) {
    if (folder_count == FOLDERS) abort();
    folders[folder_count++] = inode;
}

/* The inode of the folder that holds a path, 0 where it is not ours; sets the name within it. */
static uint64_t parent(int at, const char *path, const char **name) {
    struct stat state;
    int kept = errno, failed;
    const char *slash = strrchr(path, '/');
    *name = slash ? slash + 1 : path;
    if (slash) {
        char folder[4096];
        size_t length = (size_t)(slash - path);
        if (length >= sizeof folder) return 0;
        memcpy(folder, path, length);
        strcpy(folder + length, length ? "" : "/");
        failed = fstatat(at, folder, &state, 0);
    } else {
        failed = at == AT_FDCWD ? stat(".", &state) : fstat(at, &state);
    }
    errno = kept;
    return !failed && is_folder(state.st_ino) ? state.st_ino : 0;
}

static uint64_t inode_of(int at, const char *path, int flags) {
    struct stat state;
    int kept = errno;
    uint64_t found = fstatat(at, path, &state, flags) ? 0 : state.st_ino;
    errno = kept;
    return found;
}

static uint64_t file_of(int descriptor) {
    return log_descriptor >= 0 && descriptor >= 0 && descriptor < DESCRIPTORS ? files[descriptor] : 0;
}

__attribute__((constructor)) static void begin(void) {
    const char *path = getenv("RECORD_LOG"), *root = getenv("RECORD_ROOT");
    struct stat state;
    if (!path || !root || stat(root, &state)) return;
    marks = getenv("RECORD_MARKS");
    log_descriptor = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    add_folder(state.st_ino);
    record(ROOT, 0, state.st_ino, 0, "", 0, "", 0);
}

static int opened(int at, const char *path, int flags, mode_t mode) {
    if (log_descriptor < 0) return (int)syscall(SYS_openat, at, path, flags, mode);
    pthread_mutex_lock(&lock);
    const char *name;
    int nameless = (flags & O_TMPFILE) == O_TMPFILE;
    uint64_t folder = parent(at, path, &name);
    uint64_t before = folder ? inode_of(at, path, 0) : 0;
    int descriptor = (int)syscall(SYS_openat, at, path, flags, mode);
    if (descriptor >= 0 && descriptor < DESCRIPTORS) {
        struct stat state;
        int ours = !fstat(descriptor, &state) &&
                   (folder || is_folder(state.st_ino) || (nameless && is_folder(inode_of(at, path, 0))));
        files[descriptor] = ours ? state.st_ino : 0;
        if (marks && strcmp(path, marks) == 0) files[descriptor] = MARKS;
        else if (ours && nameless) record(NAMELESS, 0, state.st_ino, 0, "", 0, "", 0);
        else if (folder && !before) record(CREATE, folder, state.st_ino, 0, name, strlen(name), "", 0);
        else if (ours && (flags & O_TRUNC)) record(TRUNCATE, 0, state.st_ino, 0, "", 0, "", 0);
    }
    pthread_mutex_unlock(&lock);
    return descriptor;
}

static mode_t mode_given(int flags, va_list rest) {
    return (flags & O_CREAT) || (flags & O_TMPFILE) == O_TMPFILE ? va_arg(rest, mode_t) : 0;
}

#define OPENS(name, ...)                               \
    int name(__VA_ARGS__ const char *path, int flags, ...)

OPENS(open) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_given(flags, rest);
    va_end(rest);
    return opened(AT_FDCWD, path, flags, mode);
}

OPENS(open64) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_given(flags, rest);
    va_end(rest);
    return opened(AT_FDCWD, path, flags, mode);
}

OPENS(openat, int at,) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_given(flags, rest);
    va_end(rest);
    return opened(at, path, flags, mode);
}

OPENS(openat64, int at,) {
    va_list rest;
    va_start(rest, flags);
    mode_t mode = mode_given(flags, rest);
    va_end(rest);
    return opened(at, path, flags, mode);
}

int close(int descriptor) {
    if (descriptor == log_descriptor && log_descriptor >= 0) return 0;
    if (file_of(descriptor)) {
        pthread_mutex_lock(&lock);
        files[descriptor] = 0;
        pthread_mutex_unlock(&lock);
    }
    return (int)syscall(SYS_close, descriptor);
}

/* A write at an offset, or with offset -1 where the descriptor stands. */
static ssize_t written(int descriptor, const void *data, size_t length, off64_t offset) {
    if (!file_of(descriptor))
        return offset < 0 ? syscall(SYS_write, descriptor, data, length)
                          : syscall(SYS_pwrite64, descriptor, data, length, offset);
    pthread_mutex_lock(&lock);
    uint64_t file = files[descriptor];
    uint64_t start = (uint64_t)(offset < 0 ? lseek64(descriptor, 0, SEEK_CUR) : offset);
    ssize_t done = offset < 0 ? syscall(SYS_write, descriptor, data, length)
                              : syscall(SYS_pwrite64, descriptor, data, length, offset);
    if (done > 0) record(file == MARKS ? MARK : WRITE, 0, file, start, data, (size_t)done, "", 0);
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int descriptor, const void *data, size_t length) { return written(descriptor, data, length, -1); }
ssize_t pwrite(int descriptor, const void *data, size_t length, off_t offset) {
    return written(descriptor, data, length, offset);
}
ssize_t pwrite64(int descriptor, const void *data, size_t length, off64_t offset) {
    return written(descriptor, data, length, offset);
}

ssize_t pwritev(int descriptor, const struct iovec *pieces, int count, off_t offset) {
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        off_t at = offset < 0 ? -1 : offset + total;
        ssize_t done = written(descriptor, pieces[i].iov_base, pieces[i].iov_len, at);
        if (done < 0) return total ? total : done;
        total += done;
        if ((size_t)done < pieces[i].iov_len) break;
    }
    return total;
}
ssize_t pwritev64(int descriptor, const struct iovec *pieces, int count, off64_t offset) {
    return pwritev(descriptor, pieces, count, offset);
}
ssize_t writev(int descriptor, const struct iovec *pieces, int count) {
    return file_of(descriptor) ? pwritev(descriptor, pieces, count, -1)
                               : syscall(SYS_writev, descriptor, pieces, count);
}

int ftruncate64(int descriptor, off64_t length) {
    if (!file_of(descriptor)) return (int)syscall(SYS_ftruncate, descriptor, length);
    pthread_mutex_lock(&lock);
    int failed = (int)syscall(SYS_ftruncate, descriptor, length);
    if (!failed) record(TRUNCATE, 0, files[descriptor], (uint64_t)length, "", 0, "", 0);
    pthread_mutex_unlock(&lock);
    return failed;
}
int ftruncate(int descriptor, off_t length) { return ftruncate64(descriptor, length); }

static int synced(long call, int descriptor) {
    if (!file_of(descriptor)) return (int)syscall(call, descriptor);
    pthread_mutex_lock(&lock);
    uint64_t file = files[descriptor], ticket = ++tickets;
    record(SYNC, 0, file, ticket, "", 0, "", 0);
    pthread_mutex_unlock(&lock);
    int failed = (int)syscall(call, descriptor);
    if (!failed) {
        pthread_mutex_lock(&lock);
        record(SYNCED, 0, file, ticket, "", 0, "", 0);
        pthread_mutex_unlock(&lock);
    }
    return failed;
}
int fsync(int descriptor) { return synced(SYS_fsync, descriptor); }
int fdatasync(int descriptor) { return synced(SYS_fdatasync, descriptor); }

int linkat(int from, const char *source, int to, const char *target, int flags) {
    pthread_mutex_lock(&lock);
    const char *name;
    uint64_t folder = parent(to, target, &name);
    uint64_t file = folder ? inode_of(from, source, flags & AT_SYMLINK_FOLLOW ? 0 : AT_SYMLINK_NOFOLLOW) : 0;
    int failed = (int)syscall(SYS_linkat, from, source, to, target, flags);
    if (!failed && folder) record(LINK, folder, file, 0, name, strlen(name), "", 0);
    pthread_mutex_unlock(&lock);
    return failed;
}
int link(const char *source, const char *target) { return linkat(AT_FDCWD, source, AT_FDCWD, target, 0); }

int unlinkat(int at, const char *path, int flags) {
    pthread_mutex_lock(&lock);
    const char *name;
    uint64_t folder = flags & AT_REMOVEDIR ? 0 : parent(at, path, &name);
    int failed = (int)syscall(SYS_unlinkat, at, path, flags);
    if (!failed && folder) record(UNLINK, folder, 0, 0, name, strlen(name), "", 0);
    pthread_mutex_unlock(&lock);
    return failed;
}
int unlink(const char *path) { return unlinkat(AT_FDCWD, path, 0); }

int renameat(int from, const char *source, int to, const char *target) {
    pthread_mutex_lock(&lock);
    const char *old, *name;
    uint64_t left = parent(from, source, &old), entered = parent(to, target, &name);
    int failed = (int)syscall(SYS_renameat2, from, source, to, target, 0);
    if (!failed && left && entered) record(RENAME, left, entered, 0, old, strlen(old), name, strlen(name));
    pthread_mutex_unlock(&lock);
    return failed;
}
int rename(const char *source, const char *target) { return renameat(AT_FDCWD, source, AT_FDCWD, target); }

int mkdirat(int at, const char *path, mode_t mode) {
    pthread_mutex_lock(&lock);
    const char *name;
    uint64_t folder = parent(at, path, &name);
    int failed = (int)syscall(SYS_mkdirat, at, path, mode);
    if (!failed && folder) {
        uint64_t made = inode_of(at, path, 0);
        add_folder(made);
        record(MKDIR, folder, made, 0, name, strlen(name), "", 0);
    }
    pthread_mutex_unlock(&lock);
    return failed;
}
int mkdir(const char *path, mode_t mode) { return mkdirat(AT_FDCWD, path, mode); }
