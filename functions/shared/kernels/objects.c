/* Where the values of JSON Lines lie: one flat object per line, of known keys, each with a value of its column's kind or null.

   Any other line is set aside, for a reader who knows the whole grammar: what is here need not. Text is UTF-8; nothing else in it
   is trusted. */

#include "fields.h"

#include <string.h>

enum { TEXT, NUMBER, INTEGER, BOOLEAN };
enum { LOOKED_AT = 64, INTEGER_DIGITS = 18 };

/* The keys of all columns, one behind the other, and the kinds of their values. */
typedef struct {
    const uint8_t *keys;
    const int32_t *offsets;
    const uint8_t *kinds;
    int64_t count;
} columns;

INLINE const uint8_t *past_blanks(const uint8_t *at, const uint8_t *end) {
    while (at < end && (*at == ' ' || *at == '\t')) at++;
    return at;
}

INLINE const uint8_t *past_digits(const uint8_t *at, const uint8_t *end) {
    while (at < end && (uint8_t)(*at - '0') < 10) at++;
    return at;
}

/* Where a text's closing quote stands; NULL if it has an escape or a control character before, or none. */
INLINE const uint8_t *closing_quote(const uint8_t *at, const uint8_t *end) {
    const uint64_t ones = 0x0101010101010101;
    for (; end - at >= 8; at += 8) {
        uint64_t word;
        memcpy(&word, at, 8);
        const uint64_t special = zero_bytes(word ^ '"' * ones) | zero_bytes(word ^ '\\' * ones) | zero_bytes(word & 0xe0 * ones);
        if (special) {
            at += __builtin_ctzll(special) / 8;
            return *at == '"' ? at : NULL;
        }
    }
    for (; at < end && *at >= 0x20 && *at != '\\'; at++)
        if (*at == '"') return at;
    return NULL;
}

/* Past JSON's number; NULL if there is none. */
INLINE const uint8_t *past_number(const uint8_t *at, const uint8_t *end) {
    if (at < end && *at == '-') at++;
    const uint8_t *whole = at;
    at = past_digits(at, end);
    if (at == whole || (*whole == '0' && at - whole > 1)) return NULL;
    if (at < end && *at == '.') {
        whole = ++at;
        at = past_digits(at, end);
        if (at == whole) return NULL;
    }
    if (at < end && (*at | 0x20) == 'e') {
        at++;
        if (at < end && (*at == '-' || *at == '+')) at++;
        whole = at;
        at = past_digits(at, end);
        if (at == whole) return NULL;
    }
    return at;
}

/* Past an integer that is written as Python and Arrow write it; NULL if there is none. */
INLINE const uint8_t *past_integer(const uint8_t *at, const uint8_t *end) {
    const int negative = at < end && *at == '-';
    const uint8_t *const whole = at + negative;
    at = past_digits(whole, end);
    if (at == whole || at - whole > INTEGER_DIGITS || (*whole == '0' && (negative || at - whole > 1))) return NULL;
    return at;
}

INLINE const uint8_t *past_word(const uint8_t *at, const uint8_t *end, const char *word, int64_t length) {
    return end - at >= length && memcmp(at, word, (size_t)length) == 0 ? at + length : NULL;
}

/* Past a value of a kind, whose place is taken without quotes; a null's is left as it is. NULL if there is no such value. */
INLINE const uint8_t *take_value(const uint8_t *text, const uint8_t *at, const uint8_t *end, uint8_t kind, field *place) {
    if (at < end && *at == 'n') return past_word(at, end, "null", 4);
    const uint8_t *past = NULL;
    if (kind == TEXT) {
        if (at == end || *at != '"') return NULL;
        past = closing_quote(++at, end);
    } else if (kind == NUMBER) {
        past = past_number(at, end);
    } else if (kind == INTEGER) {
        past = past_integer(at, end);
    } else {
        past = past_word(at, end, "true", 4);
        if (!past) past = past_word(at, end, "false", 5);
    }
    if (!past) return NULL;
    *place = (field){(uint32_t)(at - text), (uint32_t)(past - at)};
    return past + (kind == TEXT);
}

/* The column of a key that begins after its quote, looked for from the expected one on; -1 if it is none of the next. */
INLINE int64_t column_of(const columns *known, int64_t expected, const uint8_t *at, const uint8_t *end, int64_t *length) {
    const int64_t looked_at = known->count < LOOKED_AT ? known->count : LOOKED_AT;
    for (int64_t k = 0, column = expected; k < looked_at; k++, column++) {
        if (column >= known->count) column = 0;
        *length = known->offsets[column + 1] - known->offsets[column];
        if (end - at > *length && at[*length] == '"' && memcmp(at, known->keys + known->offsets[column], (size_t)*length) == 0) return column;
    }
    return -1;
}

/* Take the values of a line's object; 0 if it is to be set aside. */
static int take_object(const uint8_t *text, const uint8_t *at, const uint8_t *end, field absent, const columns *known, int64_t capacity,
                       field *fields) {
    uint64_t expected = 0;
    for (int64_t k = 0; k < known->count; k++) fields[k * capacity] = absent;
    at = past_blanks(at, end);
    if (at == end || *at != '{') return 0;
    do {
        int64_t length;
        at = past_blanks(at + 1, end);
        if (at == end || *at != '"') return 0;
        const int64_t column = column_of(known, (int64_t)expected, at + 1, end, &length);
        if (column < 0) return 0;
        field *const place = fields + column * capacity;
        at = past_blanks(at + 2 + length, end);
        /* A key that stands twice is left to the other reader, unless its first value was null: the last one counts there too. */
        if (at == end || *at != ':' || place->start != absent.start) return 0;
        at = take_value(text, past_blanks(at + 1, end), end, known->kinds[column], place);
        if (!at) return 0;
        at = past_blanks(at, end);
        expected = (uint64_t)column + 1;
    } while (at < end && *at == ',');
    return at < end && *at == '}' && past_blanks(at + 1, end) == end;
}

/* Place the values of all lines: those of column k in fields[k * capacity + record], and of null or an absent key at the text's end. A
   line that is no such object is set aside in `odd`, by its place among all lines. Arrays have room for all lines, `capacity` of them
   per column. Gives the number of records that were not set aside. */
EXPORT int64_t everscore_objects(const uint8_t *text, int64_t size, const int64_t *starts, const int64_t *ends, int64_t lines,
                                 const uint8_t *keys, const int32_t *offsets, const uint8_t *kinds, int64_t count, int64_t capacity,
                                 field *fields, int64_t *odd);
int64_t everscore_objects(const uint8_t *text, int64_t size, const int64_t *starts, const int64_t *ends, int64_t lines, const uint8_t *keys,
                          const int32_t *offsets, const uint8_t *kinds, int64_t count, int64_t capacity, field *fields, int64_t *odd) {
    const columns known = {keys, offsets, kinds, count};
    const field absent = {(uint32_t)size, 0};
    int64_t records = 0;
    for (int64_t line = 0; line < lines; line++) {
        if (take_object(text, text + starts[line], text + ends[line], absent, &known, capacity, fields + records))
            records++;
        else
            odd[line - records] = line;
    }
    return records;
}
