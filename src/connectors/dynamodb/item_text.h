/* Copying a text while looking for bytes that JSON has to escape or that are no ASCII. */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_ITEM_TEXT_H
#define TRANSHUME_CONNECTORS_DYNAMODB_ITEM_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* High bits are set for bytes that are below 0x20, '"', '\' or above 0x7F. */
static inline uint64_t dynamodb_text_marks(uint64_t word)
{
    const uint64_t ones = 0x0101010101010101u;
    const uint64_t highs = 0x8080808080808080u;
    uint64_t quote = word ^ (ones * '"');
    uint64_t backslash = word ^ (ones * '\\');
    uint64_t marks = (word - ones * 0x20) | (quote - ones) | (backslash - ones);
    return (marks | word) & highs;
}

/*
 * Copies the text and answers whether all of it was printable ASCII without '"' and '\'. Where not,
 * `to` holds nothing of use.
 */
static inline bool dynamodb_text_copy_plain(char *to, const char *from, size_t length)
{
    uint64_t word = 0;
    uint64_t marks = 0;
    if (length >= 8) {
        for (size_t at = 0; at + 8 <= length; at += 8) {
            memcpy(&word, from + at, 8);
            memcpy(to + at, &word, 8);
            marks |= dynamodb_text_marks(word);
        }
        memcpy(&word, from + length - 8, 8);
        memcpy(to + length - 8, &word, 8);
        return (marks | dynamodb_text_marks(word)) == 0;
    }
    if (length >= 4) {
        uint32_t head = 0;
        uint32_t tail = 0;
        memcpy(&head, from, 4);
        memcpy(&tail, from + length - 4, 4);
        memcpy(to, &head, 4);
        memcpy(to + length - 4, &tail, 4);
        word = (uint64_t)tail << 32 | head;
        return dynamodb_text_marks(word) == 0;
    }
    word = 0x2020202020202020u;
    for (size_t at = 0; at < length; at++) {
        to[at] = from[at];
        word = word << 8 | (uint8_t)from[at];
    }
    return dynamodb_text_marks(word) == 0;
}

#endif
