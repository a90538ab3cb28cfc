/* The inner loops of reading delimited text: where its fields lie, and what those say that are written plainly.

   A field that is not plain (an exponent of a hundred, a quote within quotes) is reported and left to Arrow, which knows the
   whole grammar: what is here need not. Who calls has made the arrays large enough: no text has more records than line feeds
   and one, nor more fields than that times its columns. Text is ASCII or UTF-8; nothing in it is trusted. */

#include "fields.h"

#include <string.h>

enum { NOT_PLAIN = -1 };

/* ---- where fields lie ---- */

typedef struct {
    int64_t record, fields;
} odd_record;

/* What is known of a text up to the next field. */
typedef struct {
    const uint8_t *text;
    int64_t size, columns, capacity, count, records, set_aside;
    field *fields; /* those of column k at k * capacity + record */
    odd_record *odd;
    uint8_t separator;
} splitting;

INLINE void take_field(splitting *so_far, int64_t start, int64_t length, int ends_record) {
    if (so_far->count < so_far->columns)
        so_far->fields[so_far->count * so_far->capacity + so_far->records] = (field){(uint32_t)start, (uint32_t)length};
    so_far->count++;
    if (!ends_record) return;
    if (so_far->count == so_far->columns) {
        so_far->records++;
    } else {
        so_far->odd[so_far->set_aside] = (odd_record){so_far->records + so_far->set_aside, so_far->count};
        so_far->set_aside++;
    }
    so_far->count = 0;
}

/* Take what stands before a separator or a line end, whose carriage return does not count; a blank line is no field. */
INLINE void take_unquoted(splitting *so_far, int64_t start, int64_t end) {
    const int ends_record = end == so_far->size || so_far->text[end] == '\n';
    const int64_t length = end - start - (ends_record && end > start && so_far->text[end - 1] == '\r');
    if (length || !ends_record || so_far->count) take_field(so_far, start, length, ends_record);
}

/* The highest bit of each of eight bytes that ends an unquoted field. */
INLINE uint64_t field_ends(const uint8_t *at, uint8_t separator) {
    const uint64_t ones = 0x0101010101010101;
    uint64_t word;
    memcpy(&word, at, 8);
    return zero_bytes(word ^ separator * ones) | zero_bytes(word ^ '\n' * ones);
}

/* 64 bytes at a time, whose field ends are bits of one word: so few branches are guessed wrong. */
static void split_unquoted(splitting *so_far) {
    uint8_t rest[64] = {0};
    int64_t start = 0;
    for (int64_t base = 0; base < so_far->size; base += 64) {
        const uint8_t *at = so_far->text + base;
        if (so_far->size - base < 64) at = memcpy(rest, at, (size_t)(so_far->size - base));
        uint64_t ends = 0;
        for (int k = 0; k < 8; k++) ends |= (field_ends(at + 8 * k, so_far->separator) >> 7) * 0x0102040810204080 >> 56 << 8 * k;
        for (; ends; ends &= ends - 1) {
            const int64_t end = base + __builtin_ctzll(ends);
            take_unquoted(so_far, start, end);
            start = end + 1;
        }
    }
    if (start < so_far->size || so_far->count) take_unquoted(so_far, start, so_far->size);
}

static int64_t unquoted_end(const splitting *so_far, int64_t at) {
    for (; so_far->size - at >= 8; at += 8) {
        const uint64_t ends = field_ends(so_far->text + at, so_far->separator);
        if (ends) return at + __builtin_ctzll(ends) / 8;
    }
    while (at < so_far->size && so_far->text[at] != so_far->separator && so_far->text[at] != '\n') at++;
    return at;
}

/* A field at a time; 0 if one has quotes within its quotes, or something after them. */
static int split_quoted(splitting *so_far) {
    const uint8_t *const text = so_far->text;
    for (int64_t at = 0, end; at < so_far->size || so_far->count; at = end + 1) {
        if (at == so_far->size || text[at] != '"') {
            end = unquoted_end(so_far, at);
            take_unquoted(so_far, at, end);
            continue;
        }
        const uint8_t *const quote = memchr(text + at + 1, '"', (size_t)(so_far->size - at - 1));
        if (!quote) return 0;
        end = quote + 1 - text;
        const int ends_record = end == so_far->size || text[end] != so_far->separator;
        if (ends_record && end < so_far->size && text[end] == '\r') end++;
        if (ends_record && end < so_far->size && text[end] != '\n') return 0;
        take_field(so_far, at + 1, quote - text - at - 1, ends_record);
    }
    return 1;
}

/* The most records that a text may have; NOT_PLAIN if a carriage return stands anywhere but before a line feed. */
EXPORT int64_t everscore_most_records(const uint8_t *text, int64_t size);
int64_t everscore_most_records(const uint8_t *text, int64_t size) {
    const uint8_t *const end = text + size;
    for (const uint8_t *at = text; (at = memchr(at, '\r', (size_t)(end - at))); at++)
        if (end - at == 1 || at[1] != '\n') return NOT_PLAIN;
    int64_t most = 1;
    for (int64_t k = 0; k < size; k++) most += text[k] == '\n';
    return most;
}

/* Place the fields of all records: those of column k in fields[k * capacity + record]. Blank lines are no records; one with
   another number of fields than columns is set aside in `odd`, with its place among all records. Arrays have room for
   `capacity`, the most there may be. Gives the number of records that were not set aside, or NOT_PLAIN. */
EXPORT int64_t everscore_split(const uint8_t *text, int64_t size, uint8_t separator, int64_t columns, int64_t capacity, field *fields,
                               odd_record *odd, int64_t *odd_count);
int64_t everscore_split(const uint8_t *text, int64_t size, uint8_t separator, int64_t columns, int64_t capacity, field *fields,
                        odd_record *odd, int64_t *odd_count) {
    splitting so_far = {text, size, columns, capacity, 0, 0, 0, fields, odd, separator};
    if (!memchr(text, '"', (size_t)size))
        split_unquoted(&so_far);
    else if (!split_quoted(&so_far))
        return NOT_PLAIN;
    *odd_count = so_far.set_aside;
    return so_far.records;
}

/* ---- numbers ---- */

__extension__ typedef unsigned __int128 wide;

static const uint64_t POWERS[20] = {1,
                                    10,
                                    100,
                                    1000,
                                    10000,
                                    100000,
                                    1000000,
                                    10000000,
                                    100000000,
                                    1000000000,
                                    10000000000,
                                    100000000000,
                                    1000000000000,
                                    10000000000000,
                                    100000000000000,
                                    1000000000000000,
                                    10000000000000000,
                                    100000000000000000,
                                    1000000000000000000,
                                    10000000000000000000u};
static const double EXACT_POWERS[23] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                        1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* value * 2^exponent, rounded once, to even; `more` says that something below value's last bit was cut off. value has more bits
   than a double holds, and the result is neither subnormal nor infinite. */
static double rounded(wide value, int exponent, int more) {
    const uint64_t high = (uint64_t)(value >> 64);
    const int bits = high ? 128 - __builtin_clzll(high) : 64 - __builtin_clzll((uint64_t)value), cut = bits - 53;
    const wide rest = value & (((wide)1 << cut) - 1), half = (wide)1 << (cut - 1);
    uint64_t kept = (uint64_t)(value >> cut);
    kept += rest > half || (rest == half && (more || (kept & 1)));
    /* A carry out of the fraction counts the exponent up, as it should. */
    const uint64_t pattern = kept + ((uint64_t)(exponent + cut + 1075 - 1) << 52);
    double result;
    memcpy(&result, &pattern, 8);
    return result;
}

/* digits * 10^exponent, rounded once to the nearest double, for exponents from -38 to 19. Products and quotients of numbers that
   doubles hold exactly are rounded once by the processor; others are worked out in whole numbers. */
static double scaled(uint64_t digits, int exponent) {
    if (digits <= (uint64_t)1 << 53 && exponent >= -22)
        return exponent < 0 ? (double)digits / EXACT_POWERS[-exponent] : (double)digits * EXACT_POWERS[exponent];
    if (!digits) return 0;
    const int shift = __builtin_clzll(digits);
    digits <<= shift;
    if (exponent >= 0) return rounded((wide)digits * POWERS[exponent], -shift, 0);
    const wide dividend = (wide)digits << 64;
    if (exponent >= -19) {
        const uint64_t by = POWERS[-exponent];
        return rounded(dividend / by, -64 - shift, dividend % by != 0);
    }
    /* By 10^19 and then by the rest: the quotient of a quotient is that of the product. 62 more bits on the way. */
    const uint64_t first = POWERS[19], then = POWERS[-exponent - 19];
    const wide left = dividend % first << 62, quotient = (dividend / first << 62) + left / first;
    return rounded(quotient / then, -126 - shift, left % first != 0 || quotient % then != 0);
}

/* The digits of a number of more than 19, if those after the zeros in front are no more than that. */
static int significant(const uint8_t *at, const uint8_t *end, uint64_t *digits) {
    int count = 0;
    *digits = 0;
    for (; at < end; at++) {
        if (*at == '.' || (*at == '0' && !count)) continue;
        if (++count > 19) return 0;
        *digits = 10 * *digits + (uint8_t)(*at - '0');
    }
    return 1;
}

INLINE const uint8_t *take_digits(const uint8_t *at, const uint8_t *end, uint64_t *number) {
    uint8_t digit;
    for (; at < end && (digit = (uint8_t)(*at - '0')) < 10; at++) *number = 10 * *number + digit;
    return at;
}

/* Whether a field is a plain number: a minus, digits with an optional point, an exponent of at most three characters. */
INLINE int number(const uint8_t *at, const uint8_t *end, double *value) {
    uint64_t digits = 0, power = 0;
    const int negative = at < end && *at == '-';
    const uint8_t *const whole = at + negative;
    at = take_digits(whole, end, &digits);
    int64_t count = at - whole, fraction = 0;
    if (at < end && *at == '.') {
        const uint8_t *const point = at;
        at = take_digits(point + 1, end, &digits);
        fraction = at - point - 1;
        count += fraction;
    }
    if (!count || (count > 19 && !significant(whole, at, &digits))) return 0;
    int64_t exponent = -fraction;
    if (at < end && (*at | 0x20) == 'e') {
        const int down = end - at > 1 && at[1] == '-', sign = down || (end - at > 1 && at[1] == '+');
        const uint8_t *const first = at + 1 + sign;
        if (end - first < 1 || end - first > 3) return 0;
        at = take_digits(first, end, &power);
        exponent += down ? -(int64_t)power : (int64_t)power;
    }
    if (at != end || exponent < -38 || exponent > 19) return 0;
    const double size = scaled(digits, (int)exponent);
    *value = negative ? -size : size;
    return 1;
}

/* Whether the up to eight bytes before `end` are digits with an optional point, read at once and without a branch that depends
   on their number. Eight bytes before `end` can be read. */
INLINE int short_number(const uint8_t *end, int64_t length, double *value) {
    const uint64_t ones = 0x0101010101010101, outside = length < 8 ? ~(uint64_t)0 >> 8 * length : 0;
    uint64_t word;
    memcpy(&word, end - 8, 8);
    word = (word & ~outside) | ('0' * ones & outside);
    const uint64_t points = zero_bytes(word ^ '.' * ones);
    int fraction = 0;
    if (points) { /* what stands before it moves up by a byte */
        const int place = __builtin_ctzll(points) & ~7;
        const uint64_t before = ((uint64_t)1 << place) - 1, after = ~before << 8 & ~before;
        word = (word & after & ~((uint64_t)0xff << place)) | (word & before) << 8 | '0';
        fraction = 7 - place / 8;
    }
    if (length == (points != 0) || (((word + 0x46 * ones) | (word - '0' * ones)) & 0x80 * ones)) return 0;
    word = (word & 0x0f * ones) * 2561 >> 8;
    word = (word & 0x00ff00ff00ff00ff) * 6553601 >> 16;
    word = (word & 0x0000ffff0000ffff) * 42949672960001 >> 32;
    *value = (double)word / EXACT_POWERS[fraction];
    return 1;
}

/* A text of up to seven bytes as one word: they, lowest first, and highest their number. */
INLINE uint64_t short_word(const uint8_t *at, uint32_t length) {
    uint64_t word = (uint64_t)length << 56;
    for (uint32_t k = 0; k < length; k++) word |= (uint64_t)at[k] << 8 * k;
    return word;
}

INLINE int is_among(const uint8_t *at, uint32_t length, const uint64_t *words, int64_t count) {
    for (int64_t k = 0; k < count; k++)
        if (length < 8 && words[k] == short_word(at, length)) return 1;
    return 0;
}

/* Whether a field is a plain number. Those of up to eight characters are read at once, if eight stand before their end. */
INLINE int plain_number(const uint8_t *text, field from, double *value) {
    const uint8_t *const at = text + from.start, *const end = at + from.length;
    const int64_t negative = from.length && *at == '-', length = from.length - negative;
    if (length < 1 || length > 8 || end - text < 8) return number(at, end, value);
    if (!short_number(end, length, value)) return number(at, end, value);
    *value = negative ? -*value : *value;
    return 1;
}

/* The numbers of a column. `valid` gets Arrow's bits; a field that says one of the `marks` is missing, and 0 stands in its place.
   Gives the number of missing ones, or NOT_PLAIN if one is neither. */
EXPORT int64_t everscore_numbers(const uint8_t *text, const field *fields, int64_t records, const uint64_t *marks, int64_t mark_count,
                                 double *values, uint8_t *valid);
int64_t everscore_numbers(const uint8_t *text, const field *fields, int64_t records, const uint64_t *marks, int64_t mark_count,
                          double *values, uint8_t *valid) {
    int64_t missing = 0;
    uint32_t bits = 0;
    for (int64_t r = 0; r < records; r++) {
        const int present = plain_number(text, fields[r], values + r);
        if (!present) {
            if (!is_among(text + fields[r].start, fields[r].length, marks, mark_count)) return NOT_PLAIN;
            values[r] = 0;
            missing++;
        }
        bits = bits >> 1 | (uint32_t)present << 7;
        if (r % 8 == 7) valid[r / 8] = (uint8_t)bits;
    }
    if (records % 8) valid[records / 8] = (uint8_t)(bits >> (8 - records % 8));
    return missing;
}

/* ---- times ---- */

INLINE int two_digits(const uint8_t *at, int limit, int64_t *value) {
    const uint8_t tens = (uint8_t)(at[0] - '0'), ones = (uint8_t)(at[1] - '0');
    *value = 10 * tens + ones;
    return tens < 10 && ones < 10 && *value < limit;
}

/* Days since 1970 of YYYY-MM-DD, in the years 2 to 9998: no zone moves those out of the calendar. Years begin in March here, so
   that a leap day comes last. */
static int day(const uint8_t *at, int64_t *days) {
    int64_t century, of_century, month, date;
    if (!two_digits(at, 100, &century) || !two_digits(at + 2, 100, &of_century) || at[4] != '-' || !two_digits(at + 5, 13, &month) ||
        at[7] != '-' || !two_digits(at + 8, 32, &date))
        return 0;
    const int64_t year = 100 * century + of_century;
    const int leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    const int64_t last = month == 2 ? 28 + leap : 30 + ((month + month / 8) & 1);
    if (year < 2 || year > 9998 || !month || !date || date > last) return 0;
    const int64_t y = month > 2 ? year : year - 1, m = month > 2 ? month - 3 : month + 9;
    *days = 365 * y + y / 4 - y / 100 + y / 400 + (153 * m + 2) / 5 + date - 719469;
    return 1;
}

/* The day that was read last: times of a column tend to share it. */
typedef struct {
    uint8_t text[10];
    int64_t days;
} known_day;

/* Whether a text is a plain local time: YYYY-MM-DD, and after a T or a space hh:mm, hh:mm:ss or up to six more digits. */
INLINE int local_time(const uint8_t *at, int64_t length, known_day *last, int64_t *microseconds) {
    static const int64_t UNITS[7] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    int64_t hours = 0, minutes = 0, seconds = 0;
    uint64_t fraction = 0;
    if (length != 10 && length != 16 && length != 19 && (length < 21 || length > 26)) return 0;
    if (memcmp(last->text, at, 10) != 0) {
        if (!day(at, &last->days)) return 0;
        memcpy(last->text, at, 10);
    }
    if (length > 10 && ((at[10] != 'T' && at[10] != ' ') || !two_digits(at + 11, 24, &hours) || at[13] != ':' ||
                        !two_digits(at + 14, 60, &minutes)))
        return 0;
    if (length > 16 && (at[16] != ':' || !two_digits(at + 17, 60, &seconds))) return 0;
    if (length > 19 && (at[19] != '.' || take_digits(at + 20, at + length, &fraction) != at + length)) return 0;
    const int64_t unit = UNITS[length > 19 ? length - 20 : 0];
    *microseconds = (((last->days * 24 + hours) * 60 + minutes) * 60 + seconds) * 1000000 + (int64_t)fraction * unit;
    return 1;
}

/* Microseconds since 1970 of plain local times. Gives 0, or NOT_PLAIN if a field is none. */
EXPORT int64_t everscore_times(const uint8_t *text, const field *fields, int64_t records, int64_t *values);
int64_t everscore_times(const uint8_t *text, const field *fields, int64_t records, int64_t *values) {
    known_day last = {{0}, 0};
    for (int64_t r = 0; r < records; r++)
        if (!local_time(text + fields[r].start, fields[r].length, &last, values + r)) return NOT_PLAIN;
    return 0;
}

/* The same of texts one behind the other, text r from offsets[r] on, of which not all need be plain: `plain` says which. Gives the
   number of plain ones. */
EXPORT int64_t everscore_some_times(const uint8_t *text, const int32_t *offsets, int64_t records, int64_t *values, uint8_t *plain);
int64_t everscore_some_times(const uint8_t *text, const int32_t *offsets, int64_t records, int64_t *values, uint8_t *plain) {
    known_day last = {{0}, 0};
    int64_t count = 0;
    for (int64_t r = 0; r < records; r++) {
        values[r] = 0;
        plain[r] = (uint8_t)local_time(text + offsets[r], offsets[r + 1] - offsets[r], &last, values + r);
        count += plain[r];
    }
    return count;
}

/* ---- texts ---- */

/* Where the texts of a column begin and end when they stand one behind the other. Gives their length in all. */
EXPORT int64_t everscore_offsets(const field *fields, int64_t records, int32_t *offsets);
int64_t everscore_offsets(const field *fields, int64_t records, int32_t *offsets) {
    int32_t end = 0;
    for (int64_t r = 0; r < records; r++) {
        offsets[r] = end;
        end += (int32_t)fields[r].length;
    }
    offsets[records] = end;
    return end;
}

/* The texts of a column one behind the other. Gives their length in all. */
EXPORT int64_t everscore_texts(const uint8_t *text, const field *fields, int64_t records, uint8_t *out);
int64_t everscore_texts(const uint8_t *text, const field *fields, int64_t records, uint8_t *out) {
    int64_t end = 0;
    for (int64_t r = 0; r < records; r++) {
        memcpy(out + end, text + fields[r].start, fields[r].length);
        end += fields[r].length;
    }
    return end;
}

INLINE uint64_t hash(const uint8_t *at, uint32_t length) {
    uint64_t mixed = length;
    for (; length >= 8; at += 8, length -= 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        mixed = (mixed ^ word) * 0x9e3779b97f4a7c15;
        mixed ^= mixed >> 32;
    }
    return (mixed ^ short_word(at, length)) * 0x9e3779b97f4a7c15;
}

/* Number the texts of a column by their first appearance, which `firsts` gets. `slots` are 2^slot_bits zeros; more texts than
   half as many are NOT_PLAIN. Gives how many there are. */
EXPORT int64_t everscore_categories(const uint8_t *text, const field *fields, int64_t records, int32_t slot_bits, int32_t *slots,
                                    int32_t *codes, field *firsts);
int64_t everscore_categories(const uint8_t *text, const field *fields, int64_t records, int32_t slot_bits, int32_t *slots,
                             int32_t *codes, field *firsts) {
    const uint64_t last = ((uint64_t)1 << slot_bits) - 1;
    int32_t known = 0;
    for (int64_t r = 0; r < records; r++) {
        const uint8_t *const at = text + fields[r].start;
        const uint32_t length = fields[r].length;
        uint64_t slot = hash(at, length) >> (64 - slot_bits);
        for (; slots[slot]; slot = (slot + 1) & last) {
            const field *first = firsts + slots[slot] - 1;
            if (first->length == length && memcmp(text + first->start, at, length) == 0) break;
        }
        if (!slots[slot]) {
            if ((uint64_t)known == (last + 1) / 2) return NOT_PLAIN;
            firsts[known] = fields[r];
            slots[slot] = ++known;
        }
        codes[r] = slots[slot] - 1;
    }
    return known;
}
