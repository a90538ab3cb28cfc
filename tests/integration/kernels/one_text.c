/* A text through each loop of fields.c, for processors that Python is not at hand for: from standard input int64 separator, columns,
   most records, bytes, and the text; to standard output int64 records, and for each column what its fields say: places, numbers
   with their count of missing ones and validity, times with what was given, and codes with the count of categories. */

#include "../../../functions/shared/kernels/fields.c"

#include <stdio.h>
#include <stdlib.h>

static void *room(int64_t bytes) {
    void *array = calloc((size_t)bytes + 1, 1);
    if (!array) exit(2);
    return array;
}

static void *take(int64_t bytes) {
    void *array = room(bytes);
    if (fread(array, 1, (size_t)bytes, stdin) != (size_t)bytes) exit(2);
    return array;
}

static void give(const void *array, int64_t bytes) {
    if (fwrite(array, 1, (size_t)bytes, stdout) != (size_t)bytes) exit(3);
}

int main(void) {
    const int64_t *sizes = take(32), columns = sizes[1], most = sizes[2];
    const uint8_t *text = take(sizes[3]);
    const uint64_t empty = 0;
    field *fields = room(columns * most * 8);
    int64_t odd_count;
    const int64_t records = everscore_split(text, sizes[3], (uint8_t)sizes[0], columns, most, fields, room(most * 16), &odd_count);
    give(&records, 8);
    for (int64_t k = 0; k < columns; k++) {
        const field *of = fields + k * most;
        double *values = room(records * 8);
        uint8_t *valid = room((records + 7) / 8);
        int64_t *times = room(records * 8), given[3];
        int32_t *codes = room(records * 4);
        given[0] = everscore_numbers(text, of, records, &empty, 1, values, valid);
        given[1] = everscore_times(text, of, records, times);
        given[2] = everscore_categories(text, of, records, 8, room(1024), codes, room(1024));
        give(of, records * 8);
        give(given, 24);
        if (given[0] != NOT_PLAIN) give(values, records * 8), give(valid, (records + 7) / 8);
        if (given[1] != NOT_PLAIN) give(times, records * 8);
        if (given[2] != NOT_PLAIN) give(codes, records * 4);
    }
    return 0;
}
