#pragma once

#include <linux/sched/types.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/// Asks for turns of `nanoseconds` for the calling thread, and leaves its policy and nice value as they are. 0: done.
/// glibc of Debian 12 has no function for either call, and `syscall` itself is variadic.
static inline int gatehouse_set_turn(unsigned long long nanoseconds) {
    struct sched_attr attributes;
    memset(&attributes, 0, sizeof attributes);
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0) return -1;
    attributes.sched_flags = 0;
    attributes.sched_runtime = nanoseconds;
    return (int)syscall(SYS_sched_setattr, 0, &attributes, 0);
}
