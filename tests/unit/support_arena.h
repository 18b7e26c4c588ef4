/* An arena that each test, or group of tests, finds empty: set_up and tear_down for cmocka. */
#ifndef TRANSHUME_UNIT_SUPPORT_ARENA_H
#define TRANSHUME_UNIT_SUPPORT_ARENA_H

#include "support.h"

static struct arena *arena;

static int set_up(void **state)
{
    (void)state;
    arena = arena_create(0);
    return arena == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    arena_destroy(arena);
    return 0;
}

#endif
