/*
 * A page of items, the answer to a Scan or a Query:
 *
 *   {"Count":2,"Items":[{"Id":{"N":"1"}},{"Id":{"N":"2"}}],"ScannedCount":2,
 *    "LastEvaluatedKey":{"Id":{"N":"2"}},"ConsumedCapacity":{"CapacityUnits":0.5,…}}
 *
 * Members come in any order. A page without LastEvaluatedKey is the last one; one without items is
 * not. (AWS: "Scan", API version 2012-08-10.) The answer to a BatchGetItem has them by table:
 *
 *   {"Responses":{"T":[{"Id":{"N":"1"}}]},
 *    "UnprocessedKeys":{"T":{"Keys":[{"Id":{"N":"2"}}],"ConsistentRead":true}},
 *    "ConsumedCapacity":[{"TableName":"T","CapacityUnits":1}]}
 *
 * (AWS: "BatchGetItem".)
 */
#ifndef TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_PAGE_H
#define TRANSHUME_CONNECTORS_DYNAMODB_NETWORK_PAGE_H

#include "base/error.h"
#include "base/text.h"
#include <stdbool.h>
#include <stdint.h>

/* All texts point into the answer. */
struct dynamodb_page {
    struct text items; /* between the brackets of Items, what is still to be read */
    /* what the next request goes on with, as it stands: the object LastEvaluatedKey, or the list of
     * UnprocessedKeys; length 0: there is none */
    struct text rest;
    uint64_t count;      /* as the answer says; UINT64_MAX: it does not */
    uint64_t read;       /* items that dynamodb_page_next has given */
    uint64_t milliunits; /* read capacity consumed, in thousandths of a unit; 0: not told */
};

/* Takes an answer apart; the items are not looked into. STATUS_FAILED (REJECT_UNREADABLE): it is no
 * page. */
enum status dynamodb_page_read(const char *text, size_t length, struct dynamodb_page *page,
                               struct error *error) MUST_USE;
/* The same of an answer to a BatchGetItem from one table. */
enum status dynamodb_page_read_batch(const char *text, size_t length, const char *table,
                                     struct dynamodb_page *page, struct error *error) MUST_USE;
/* The next item's text, from '{' to '}'. STATUS_END: there is none left, and there were `count`.
 * STATUS_FAILED: they are less or more, or the list breaks off. */
enum status dynamodb_page_next(struct dynamodb_page *page, struct text *item,
                               struct error *error) MUST_USE;
/* The value of a member of a JSON object, as it stands; names with escapes are not found. */
bool dynamodb_page_member(struct text object, const char *name, struct text *value);

#endif
