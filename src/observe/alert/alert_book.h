/*
 * Alerts that someone is to be told of, and when. Pure: times are the caller's, and may go
 * back.
 *
 * One that happens again while it is known is not told again; one that begins while a message waits
 * for its group's time goes with it; one that goes on is repeated; one that is over is told to
 * those who heard that it began. Kinds without an end are over when they did not happen for five
 * minutes.
 */
#ifndef TRANSHUME_OBSERVE_ALERT_ALERT_BOOK_H
#define TRANSHUME_OBSERVE_ALERT_ALERT_BOOK_H

#include "observe/alert/alert.h"

enum { ALERT_LASTS_S = 300, ALERT_RETRY_S = 30 };

struct alert_book;

/* The receivers are borrowed. */
struct alert_book *alert_book_create(const struct alert_receiver *receivers, uint32_t count)
    __attribute__((returns_nonnull));
void alert_book_destroy(struct alert_book *book); /* takes NULL */

/* The end of a run (EVENT_RUN) ends all else. */
void alert_book_take(struct alert_book *book, const struct alert_event *event);

/* One message: pointers into the book, until it is called again. */
struct alert_batch {
    uint32_t receiver;
    const struct alert *alerts[ALERT_COUNT_MAX];
    uint32_t count;
    bool firing; /* one of them goes on */
};
/* The next message that is due at that time; `last`: whatever waits for its group goes now. False:
 * none is. Each that is returned counts as told. */
bool alert_book_next(struct alert_book *book, int64_t now_us, bool last, struct alert_batch *batch);
/* It could not be told: it comes again after ALERT_RETRY_S. */
void alert_book_put_back(struct alert_book *book, const struct alert_batch *batch, int64_t now_us);
/* When something will be due, at the latest an hour from now. */
int64_t alert_book_due_us(const struct alert_book *book, int64_t now_us);

#endif
