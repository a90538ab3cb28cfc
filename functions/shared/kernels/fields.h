/* Where a field lies in its text, and how bytes are looked for eight at a time. */

#ifndef EVERSCORE_FIELDS_H
#define EVERSCORE_FIELDS_H

#include "kernels.h"

typedef struct {
    uint32_t start, length;
} field;

/* The highest bit of each byte that is zero. */
INLINE uint64_t zero_bytes(uint64_t word) {
    const uint64_t low = 0x7f7f7f7f7f7f7f7f;
    return ~(((word & low) + low) | word | low);
}

#endif
