/* What the kernels have in common: plain C without a library, no state, so any number of threads may be inside. */

#ifndef EVERSCORE_KERNELS_H
#define EVERSCORE_KERNELS_H

#include <stdint.h>

#define EXPORT __attribute__((visibility("default")))
#define INLINE static inline __attribute__((always_inline))

/* Counts up whenever a function comes, or a signature or the meaning of an array changes, so that newer code does not call an old
   build. */
enum { INTERFACE = 5 };

#endif
