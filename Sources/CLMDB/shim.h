#pragma once

#include <errno.h>
#include <lmdb.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/types.h>
#include <sys/vfs.h>
#include <unistd.h>

/// The `f_type` of the file system that holds `path`; -1 and `errno` when it cannot be asked.
static inline long clmdb_file_system_type(const char *path) {
    struct statfs result;
    return statfs(path, &result) == 0 ? (long)result.f_type : -1;
}

/// Gives the first `length` bytes of the file their blocks without changing its size (`FALLOC_FL_KEEP_SIZE`).
static inline int clmdb_reserve(int file, long length) {
    return (int)syscall(SYS_fallocate, file, 1, 0L, length);
}

/// The two numbers of a device as `mountinfo` writes them.
static inline unsigned int clmdb_major(dev_t device) { return major(device); }
static inline unsigned int clmdb_minor(dev_t device) { return minor(device); }
