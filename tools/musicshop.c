/*
 * musicshop: writes a sample SQLite database, a music shop of eleven tables in the shape of the
 * well-known Chinook sample. Every name in it is invented here.
 *
 * The same seed, scale and SQLite library give the same file, byte for byte: each row's values come
 * from a random stream of its own (see random_for), and nothing is taken from the clock.
 */
#include "common/generate.h"
#include "musicshop_words.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES_MAX 200
#define LINES_MAX 14
#define SHUFFLED_MAX 210

static const char schema[] =
    "CREATE TABLE [Artist]\n(\n"
    "    [ArtistId] INTEGER  NOT NULL,\n"
    "    [Name] NVARCHAR(120),\n"
    "    CONSTRAINT [PK_Artist] PRIMARY KEY  ([ArtistId])\n);\n"

    "CREATE TABLE [Album]\n(\n"
    "    [AlbumId] INTEGER  NOT NULL,\n"
    "    [Title] NVARCHAR(160)  NOT NULL,\n"
    "    [ArtistId] INTEGER  NOT NULL,\n"
    "    CONSTRAINT [PK_Album] PRIMARY KEY  ([AlbumId]),\n"
    "    FOREIGN KEY ([ArtistId]) REFERENCES [Artist] ([ArtistId])\n"
    "        ON DELETE NO ACTION ON UPDATE NO ACTION\n);\n"

    "CREATE TABLE [Employee]\n(\n"
    "    [EmployeeId] INTEGER  NOT NULL,\n"
    "    [LastName] NVARCHAR(20)  NOT NULL,\n"
    "    [FirstName] NVARCHAR(20)  NOT NULL,\n"
    "    [Title] NVARCHAR(30),\n"
    "    [ReportsTo] INTEGER,\n"
    "    [BirthDate] DATETIME,\n"
    "    [HireDate] DATETIME,\n"
    "    [Address] NVARCHAR(70),\n"
    "    [City] NVARCHAR(40),\n"
    "    [State] NVARCHAR(40),\n"
    "    [Country] NVARCHAR(40),\n"
    "    [PostalCode] NVARCHAR(10),\n"
    "    [Phone] NVARCHAR(24),\n"
    "    [Fax] NVARCHAR(24),\n"
    "    [Email] NVARCHAR(60),\n"
    "    CONSTRAINT [PK_Employee] PRIMARY KEY  ([EmployeeId]),\n"
    "    FOREIGN KEY ([ReportsTo]) REFERENCES [Employee] ([EmployeeId])\n"
    "        ON DELETE NO ACTION ON UPDATE NO ACTION\n);\n"

    "CREATE TABLE [Customer]\n(\n"
    "    [CustomerId] INTEGER  NOT NULL,\n"
    "    [FirstName] NVARCHAR(40)  NOT NULL,\n"
    "    [LastName] NVARCHAR(20)  NOT NULL,\n"
    "    [Company] NVARCHAR(80),\n"
    "    [Address] NVARCHAR(70),\n"
    "    [City] NVARCHAR(40),\n"
    "    [State] NVARCHAR(40),\n"
    "    [Country] NVARCHAR(40),\n"
    "    [PostalCode] NVARCHAR(10),\n"
    "    [Phone] NVARCHAR(24),\n"
    "    [Fax] NVARCHAR(24),\n"
    "    [Email] NVARCHAR(60)  NOT NULL,\n"
    "    [SupportRepId] INTEGER,\n"
    "    CONSTRAINT [PK_Customer] PRIMARY KEY  ([CustomerId]),\n"
    "    FOREIGN KEY ([SupportRepId]) REFERENCES [Employee] ([EmployeeId])\n"
    "        ON DELETE NO ACTION ON UPDATE NO ACTION\n);\n"

    "CREATE TABLE [Genre]\n(\n"
    "    [GenreId] INTEGER  NOT NULL,\n"
    "    [Name] NVARCHAR(120),\n"
    "    CONSTRAINT [PK_Genre] PRIMARY KEY  ([GenreId])\n);\n"

    "CREATE TABLE [MediaType]\n(\n"
    "    [MediaTypeId] INTEGER  NOT NULL,\n"
    "    [Name] NVARCHAR(120),\n"
    "    CONSTRAINT [PK_MediaType] PRIMARY KEY  ([MediaTypeId])\n);\n"

    "CREATE TABLE [Track]\n(\n"
    "    [TrackId] INTEGER  NOT NULL,\n"
    "    [Name] NVARCHAR(200)  NOT NULL,\n"
    "    [AlbumId] INTEGER,\n"
    "    [MediaTypeId] INTEGER  NOT NULL,\n"
    "    [GenreId] INTEGER,\n"
    "    [Composer] NVARCHAR(220),\n"
    "    [Milliseconds] INTEGER  NOT NULL,\n"
    "    [Bytes] INTEGER,\n"
    "    [UnitPrice] NUMERIC(10,2)  NOT NULL,\n"
    "    CONSTRAINT [PK_Track] PRIMARY KEY  ([TrackId]),\n"
    "    FOREIGN KEY ([AlbumId]) REFERENCES [Album] ([AlbumId])\n"
    "        ON DELETE NO ACTION ON UPDATE NO ACTION,\n"
    "    FOREIGN KEY ([GenreId]) REFERENCES [Genre] ([GenreId])\n"
    "        ON DELETE NO ACTION ON UPDATE NO ACTION,\n"
    "    FOREIGN KEY ([MediaTypeId]) REFERENCES [MediaType] ([MediaTypeId])\n"
    "        ON DELETE NO ACTION ON UPDATE NO ACTION\n);\n"

    "CREATE TABLE [Invoice]\n(\n"
    "    [InvoiceId] INTEGER  NOT NULL,\n"
    "    [CustomerId] INTEGER  NOT NULL,\n"
    "    [InvoiceDate] DATETIME  NOT NULL,\n"
    "    [BillingAddress] NVARCHAR(70),\n"
    "    [BillingCity] NVARCHAR(40),\n"
    "    [BillingState] NVARCHAR(40),\n"
    "    [BillingCountry] NVARCHAR(40),\n"
    "    [BillingPostalCode] NVARCHAR(10),\n"
    "    [Total] NUMERIC(10,2)  NOT NULL,\n"
    "    CONSTRAINT [PK_Invoice] PRIMARY KEY  ([InvoiceId]),\n"
    "    FOREIGN KEY ([CustomerId]) REFERENCES [Customer] ([CustomerId])\n"
    "        ON DELETE NO ACTION ON UPDATE NO ACTION\n);\n"

    "CREATE TABLE [InvoiceLine]\n(\n"
    "    [InvoiceLineId] INTEGER  NOT NULL,\n"
    "    [InvoiceId] INTEGER  NOT NULL,\n"
    "    [TrackId] INTEGER  NOT NULL,\n"
    "    [UnitPrice] NUMERIC(10,2)  NOT NULL,\n"
    "    [Quantity] INTEGER  NOT NULL,\n"
    "    CONSTRAINT [PK_InvoiceLine] PRIMARY KEY  ([InvoiceLineId]),\n"
    "    FOREIGN KEY ([InvoiceId]) REFERENCES [Invoice] ([InvoiceId])\n"
    "        ON DELETE NO ACTION ON UPDATE NO ACTION,\n"
    "    FOREIGN KEY ([TrackId]) REFERENCES [Track] ([TrackId])\n"
    "        ON DELETE NO ACTION ON UPDATE NO ACTION\n);\n"

    "CREATE TABLE [Playlist]\n(\n"
    "    [PlaylistId] INTEGER  NOT NULL,\n"
    "    [Name] NVARCHAR(120),\n"
    "    CONSTRAINT [PK_Playlist] PRIMARY KEY  ([PlaylistId])\n);\n"

    "CREATE TABLE [PlaylistTrack]\n(\n"
    "    [PlaylistId] INTEGER  NOT NULL,\n"
    "    [TrackId] INTEGER  NOT NULL,\n"
    "    CONSTRAINT [PK_PlaylistTrack] PRIMARY KEY  ([PlaylistId], [TrackId]),\n"
    "    FOREIGN KEY ([PlaylistId]) REFERENCES [Playlist] ([PlaylistId])\n"
    "        ON DELETE NO ACTION ON UPDATE NO ACTION,\n"
    "    FOREIGN KEY ([TrackId]) REFERENCES [Track] ([TrackId])\n"
    "        ON DELETE NO ACTION ON UPDATE NO ACTION\n);\n";

/* Built after the rows are in. */
static const char indexes[] =
    "CREATE INDEX [IFK_AlbumArtistId] ON [Album] ([ArtistId]);"
    "CREATE INDEX [IFK_CustomerSupportRepId] ON [Customer] ([SupportRepId]);"
    "CREATE INDEX [IFK_EmployeeReportsTo] ON [Employee] ([ReportsTo]);"
    "CREATE INDEX [IFK_InvoiceCustomerId] ON [Invoice] ([CustomerId]);"
    "CREATE INDEX [IFK_InvoiceLineInvoiceId] ON [InvoiceLine] ([InvoiceId]);"
    "CREATE INDEX [IFK_InvoiceLineTrackId] ON [InvoiceLine] ([TrackId]);"
    "CREATE INDEX [IFK_PlaylistTrackPlaylistId] ON [PlaylistTrack] ([PlaylistId]);"
    "CREATE INDEX [IFK_PlaylistTrackTrackId] ON [PlaylistTrack] ([TrackId]);"
    "CREATE INDEX [IFK_TrackAlbumId] ON [Track] ([AlbumId]);"
    "CREATE INDEX [IFK_TrackGenreId] ON [Track] ([GenreId]);"
    "CREATE INDEX [IFK_TrackMediaTypeId] ON [Track] ([MediaTypeId]);";

/* One random stream a row: the number of its table is part of the stream's name. */
enum stream {
    STREAM_ARTIST = 1,
    STREAM_ALBUM,
    STREAM_ALBUM_START,
    STREAM_TRACK,
    STREAM_PRICE,
    STREAM_CUSTOMER,
    STREAM_ADDRESS,
    STREAM_EMPLOYEE,
    STREAM_INVOICE,
    STREAM_PLAYLIST,
};

struct shop {
    uint64_t seed;
    int64_t big_customer_invoices; /* 0: there is no such customer */
    int64_t big_playlist_tracks;   /* 0: there is no such playlist */
    int64_t artists;
    int64_t albums;
    int64_t tracks;
    int64_t customers;
    int64_t invoices;
    int64_t playlists;
    struct output output;
};

/* --- names */

/* One draw; two in one expression would leave their order to the compiler. */
#define PICK(random, array) ((array)[random_below((random), COUNT_OF(array))])

/* `text` holds NAME_BYTES_MAX bytes. */
static void make_name(struct random *random, char *text)
{
    const char *adjective = PICK(random, adjectives);
    const char *noun = PICK(random, nouns);
    const char *other = PICK(random, nouns);
    const char *flourish = random_percent(random, 12) ? PICK(random, flourishes) : "";

    switch (random_below(random, 5)) {
    case 0:
        snprintf(text, NAME_BYTES_MAX, "The %s %s%s", adjective, noun, flourish);
        break;
    case 1:
        snprintf(text, NAME_BYTES_MAX, "%s %s%s", PICK(random, verbs), noun, flourish);
        break;
    case 2:
        snprintf(text, NAME_BYTES_MAX, "%s of the %s %s%s", noun, adjective, other, flourish);
        break;
    case 3:
        snprintf(text, NAME_BYTES_MAX, "%s & %s%s", noun, other, flourish);
        break;
    default:
        snprintf(text, NAME_BYTES_MAX, "%s %s%s", adjective, noun, flourish);
        break;
    }
}

/* Writes one person, or two with a comma between them. */
static void make_composer(struct random *random, char *text)
{
    const char *first = PICK(random, first_names).written;
    const char *last = PICK(random, last_names).written;

    if (random_percent(random, 70)) {
        snprintf(text, NAME_BYTES_MAX, "%s %s", first, last);
        return;
    }
    const char *second_first = PICK(random, first_names).written;
    const char *second_last = PICK(random, last_names).written;
    snprintf(text, NAME_BYTES_MAX, "%s %s, %s %s", first, last, second_first, second_last);
}

/* Replaces each # of `pattern` by a digit; NULL stays NULL. `text` holds `size` bytes. */
static const char *fill_digits(struct random *random, const char *pattern, char *text, size_t size)
{
    if (pattern == NULL)
        return NULL;
    snprintf(text, size, "%s", pattern);
    for (char *mark = text; (mark = strchr(mark, '#')) != NULL;)
        *mark = (char)('0' + random_below(random, 10));
    return text;
}

struct address {
    const struct place *place;
    char street[72];
    const char *postal_code; /* NULL, or postal_code_text */
    char postal_code_text[16];
};

/* The address of a customer, found again for each of the customer's invoices. */
static void make_address(struct random random, struct address *address)
{
    int number = 1 + (int)random_below(&random, 899);

    address->place = &PICK(&random, places);
    snprintf(address->street, sizeof address->street, "%d %s", number, PICK(&random, streets));
    address->postal_code = fill_digits(&random, address->place->postal_code,
                                       address->postal_code_text, sizeof address->postal_code_text);
}

/* --- tables, in the order in which they refer to each other */

static void fill_named(struct shop *shop, const char *sql, const char *const *names, size_t count)
{
    sqlite3_stmt *insert = output_prepare(&shop->output, sql);

    for (size_t i = 0; i < count; i++) {
        bind_integer(insert, 1, (int64_t)i + 1);
        bind_text(insert, 2, names[i]);
        output_step(&shop->output, insert);
    }
    sqlite3_finalize(insert);
}

static void fill_artists(struct shop *shop)
{
    sqlite3_stmt *insert = output_prepare(&shop->output, "INSERT INTO Artist VALUES (?, ?)");
    char name[NAME_BYTES_MAX];

    for (int64_t id = 1; id <= shop->artists; id++) {
        struct random random = random_for(shop->seed, STREAM_ARTIST, (uint64_t)id);
        make_name(&random, name);
        bind_integer(insert, 1, id);
        bind_text(insert, 2, name);
        output_step(&shop->output, insert);
    }
    sqlite3_finalize(insert);
}

/* About a quarter of the artists have no album, and a few have many. */
static void fill_albums(struct shop *shop)
{
    sqlite3_stmt *insert = output_prepare(&shop->output, "INSERT INTO Album VALUES (?, ?, ?)");
    char title[NAME_BYTES_MAX];

    for (int64_t id = 1; id <= shop->albums; id++) {
        struct random random = random_for(shop->seed, STREAM_ALBUM, (uint64_t)id);
        make_name(&random, title);
        bind_integer(insert, 1, id);
        bind_text(insert, 2, title);
        bind_integer(insert, 3, 1 + (int64_t)random_below(&random, (uint64_t)shop->artists));
        output_step(&shop->output, insert);
    }
    sqlite3_finalize(insert);
}

static bool is_video(const struct shop *shop, int64_t track)
{
    struct random random = random_for(shop->seed, STREAM_PRICE, (uint64_t)track);

    return random_percent(&random, 6);
}

static int64_t price_cents(const struct shop *shop, int64_t track)
{
    return is_video(shop, track) ? 199 : 99;
}

/*
 * Albums follow each other through the tracks. This gives how many tracks come before album `id`;
 * the distances differ, so that albums have from none to twenty tracks.
 */
static int64_t tracks_before_album(const struct shop *shop, int64_t id)
{
    struct random random = random_for(shop->seed, STREAM_ALBUM_START, (uint64_t)id);

    if (id == 1)
        return 0;
    if (id > shop->albums)
        return shop->tracks;
    return (int64_t)(((double)(id - 1) + random_unit(&random)) * (double)shop->tracks /
                     (double)shop->albums);
}

static void fill_tracks(struct shop *shop)
{
    sqlite3_stmt *insert =
        output_prepare(&shop->output, "INSERT INTO Track VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    char name[NAME_BYTES_MAX];
    char composer[NAME_BYTES_MAX];
    int64_t album = 1;
    int64_t next_album_start = tracks_before_album(shop, 2);

    for (int64_t id = 1; id <= shop->tracks; id++) {
        struct random random = random_for(shop->seed, STREAM_TRACK, (uint64_t)id);
        while (id > next_album_start)
            next_album_start = tracks_before_album(shop, ++album + 1);
        make_name(&random, name);
        make_composer(&random, composer);
        bool video = is_video(shop, id);
        int64_t milliseconds = 1000 + (int64_t)random_below(&random, video ? 3000000 : 600000);
        static const int audio[] = {1, 1, 1, 1, 2, 2, 4, 5};

        bind_integer(insert, 1, id);
        bind_text(insert, 2, name);
        bind_integer(insert, 3, album);
        bind_integer(insert, 4, video ? 3 : PICK(&random, audio));
        bind_integer(insert, 5, 1 + (int64_t)random_below(&random, COUNT_OF(genres)));
        bind_text(insert, 6, random_percent(&random, 28) ? NULL : composer);
        bind_integer(insert, 7, milliseconds);
        bind_integer(insert, 8, milliseconds * (video ? 250 : 32));
        bind_cents(insert, 9, price_cents(shop, id));
        if (random_percent(&random, 1))
            sqlite3_bind_null(insert, 5);
        if (random_percent(&random, 2))
            sqlite3_bind_null(insert, 8);
        output_step(&shop->output, insert);
    }
    sqlite3_finalize(insert);
}

static void bind_address(sqlite3_stmt *insert, int column, const struct address *address)
{
    bind_text(insert, column, address->street);
    bind_text(insert, column + 1, address->place->city);
    bind_text(insert, column + 2, address->place->state);
    bind_text(insert, column + 3, address->place->country);
    bind_text(insert, column + 4, address->postal_code);
}

static void fill_employees(struct shop *shop)
{
    sqlite3_stmt *insert = output_prepare(
        &shop->output, "INSERT INTO Employee VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");

    for (size_t i = 0; i < COUNT_OF(employees); i++) {
        const struct employee *employee = &employees[i];
        struct random random = random_for(shop->seed, STREAM_EMPLOYEE, i);
        struct address address;
        char telephone[24];
        char fax[24];
        make_address(random, &address);

        bind_integer(insert, 1, (int64_t)i + 1);
        bind_text(insert, 2, employee->last_name);
        bind_text(insert, 3, employee->first_name);
        bind_text(insert, 4, employee->title);
        if (employee->reports_to == 0)
            sqlite3_bind_null(insert, 5);
        else
            bind_integer(insert, 5, employee->reports_to);
        bind_text(insert, 6, employee->birth_date);
        bind_text(insert, 7, employee->hire_date);
        bind_address(insert, 8, &address);
        bind_text(insert, 13,
                  fill_digits(&random, address.place->telephone, telephone, sizeof telephone));
        bind_text(insert, 14, fill_digits(&random, address.place->telephone, fax, sizeof fax));
        bind_text(insert, 15, employee->email);
        output_step(&shop->output, insert);
    }
    sqlite3_finalize(insert);
}

static void fill_customer(struct shop *shop, sqlite3_stmt *insert, int64_t id)
{
    struct random random = random_for(shop->seed, STREAM_CUSTOMER, (uint64_t)id);
    const struct spelling *first = &PICK(&random, first_names);
    const struct spelling *last = &PICK(&random, last_names);
    const char *company = random_percent(&random, 17) ? PICK(&random, companies) : NULL;
    struct address address;
    char telephone[24];
    char fax[24];
    char email[61];

    make_address(random_for(shop->seed, STREAM_ADDRESS, (uint64_t)id), &address);
    const char *pattern = address.place->telephone;
    snprintf(email, sizeof email, "%s.%s.%lld@example.com", first->plain, last->plain,
             (long long)id);
    bind_integer(insert, 1, id);
    bind_text(insert, 2, first->written);
    bind_text(insert, 3, last->written);
    bind_text(insert, 4, company);
    bind_address(insert, 5, &address);
    const char *has_telephone = random_percent(&random, 97) ? pattern : NULL;
    const char *has_fax = random_percent(&random, 20) ? pattern : NULL;
    bind_text(insert, 10, fill_digits(&random, has_telephone, telephone, sizeof telephone));
    bind_text(insert, 11, fill_digits(&random, has_fax, fax, sizeof fax));
    bind_text(insert, 12, email);
    bind_integer(insert, 13,
                 SUPPORT_AGENT_FIRST + (int64_t)random_below(&random, SUPPORT_AGENT_COUNT));
    output_step(&shop->output, insert);
}

static void fill_customers(struct shop *shop)
{
    sqlite3_stmt *insert = output_prepare(
        &shop->output, "INSERT INTO Customer VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
    int64_t last = shop->customers + (shop->big_customer_invoices > 0);

    for (int64_t id = 1; id <= last; id++)
        fill_customer(shop, insert, id);
    sqlite3_finalize(insert);
}

/* Five years of days as SQLite's users write them: 2021-01-01 00:00:00 to 2025-12-31 00:00:00. */
#define DAYS (5 * 365 + 1)
struct calendar {
    char day[DAYS][32];
};

static void calendar_init(struct calendar *calendar)
{
    static const int month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    size_t at = 0;

    for (int year = 2021; year <= 2025; year++) {
        for (int month = 1; month <= 12; month++) {
            int days = month_days[month - 1] + (month == 2 && year % 4 == 0);
            for (int day = 1; day <= days; day++)
                snprintf(calendar->day[at++], sizeof calendar->day[0], "%04d-%02d-%02d 00:00:00",
                         year, month, day);
        }
    }
}

struct invoice_writer {
    sqlite3_stmt *insert_invoice;
    sqlite3_stmt *insert_line;
    struct calendar calendar;
    int64_t next_line;
};

struct line {
    int64_t track;
    int64_t cents;
    int64_t quantity;
};

static void fill_invoice(struct shop *shop, struct invoice_writer *writer, int64_t id,
                         int64_t customer, int64_t day, size_t line_count)
{
    struct random random = random_for(shop->seed, STREAM_INVOICE, (uint64_t)id);
    struct line lines[LINES_MAX];
    struct address address;
    int64_t total_cents = 0;

    for (size_t i = 0; i < line_count; i++) {
        struct line *line = &lines[i];
        line->track = 1 + (int64_t)random_below(&random, (uint64_t)shop->tracks);
        line->cents = price_cents(shop, line->track);
        line->quantity = random_percent(&random, 95) ? 1 : 2 + (int64_t)random_below(&random, 4);
        total_cents += line->cents * line->quantity;
    }
    make_address(random_for(shop->seed, STREAM_ADDRESS, (uint64_t)customer), &address);
    bind_integer(writer->insert_invoice, 1, id);
    bind_integer(writer->insert_invoice, 2, customer);
    bind_text(writer->insert_invoice, 3, writer->calendar.day[day]);
    bind_address(writer->insert_invoice, 4, &address);
    bind_cents(writer->insert_invoice, 9, total_cents);
    output_step(&shop->output, writer->insert_invoice);

    for (size_t i = 0; i < line_count; i++) {
        bind_integer(writer->insert_line, 1, writer->next_line++);
        bind_integer(writer->insert_line, 2, id);
        bind_integer(writer->insert_line, 3, lines[i].track);
        bind_cents(writer->insert_line, 4, lines[i].cents);
        bind_integer(writer->insert_line, 5, lines[i].quantity);
        output_step(&shop->output, writer->insert_line);
    }
}

/* Invoices come in the order of their days, customers mixed. One customer in twenty never buys. */
static void fill_invoices(struct shop *shop)
{
    static const size_t line_counts[] = {1, 2, 2, 4, 6, 9, LINES_MAX};
    struct invoice_writer writer = {
        .insert_invoice =
            output_prepare(&shop->output, "INSERT INTO Invoice VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"),
        .insert_line =
            output_prepare(&shop->output, "INSERT INTO InvoiceLine VALUES (?, ?, ?, ?, ?)"),
        .next_line = 1,
    };
    calendar_init(&writer.calendar);

    for (int64_t i = 0; i < shop->invoices; i++) {
        struct random random = random_for(~shop->seed, STREAM_INVOICE, (uint64_t)i);
        int64_t customer = 1 + (int64_t)random_below(&random, (uint64_t)shop->customers);
        size_t line_count = PICK(&random, line_counts);
        if (customer % 20 == 0)
            customer--;
        fill_invoice(shop, &writer, i + 1, customer, i * DAYS / shop->invoices, line_count);
    }
    for (int64_t i = 0; i < shop->big_customer_invoices; i++)
        fill_invoice(shop, &writer, shop->invoices + i + 1, shop->customers + 1,
                     i * DAYS / shop->big_customer_invoices, 1);
    sqlite3_finalize(writer.insert_invoice);
    sqlite3_finalize(writer.insert_line);
}

/*
 * `size` different tracks, from all over the shop. Short lists are in no order, so that a reader
 * who wants them by track has to sort.
 */
static void fill_playlist(struct shop *shop, sqlite3_stmt *insert, int64_t id, int64_t size)
{
    struct random random = random_for(shop->seed, STREAM_PLAYLIST, (uint64_t)id);
    int64_t shuffled[SHUFFLED_MAX] = {0};

    for (int64_t i = 0; i < size; i++) {
        int64_t from = i * shop->tracks / size;
        int64_t until = (i + 1) * shop->tracks / size;
        int64_t track = 1 + from + (int64_t)random_below(&random, (uint64_t)(until - from));
        if (size <= SHUFFLED_MAX) {
            int64_t swapped = (int64_t)random_below(&random, (uint64_t)i + 1);
            shuffled[i] = shuffled[swapped];
            shuffled[swapped] = track;
            continue;
        }
        bind_integer(insert, 1, id);
        bind_integer(insert, 2, track);
        output_step(&shop->output, insert);
    }
    for (int64_t i = 0; size <= SHUFFLED_MAX && i < size; i++) {
        bind_integer(insert, 1, id);
        bind_integer(insert, 2, shuffled[i]);
        output_step(&shop->output, insert);
    }
}

static void fill_playlists(struct shop *shop)
{
    sqlite3_stmt *insert = output_prepare(&shop->output, "INSERT INTO Playlist VALUES (?, ?)");
    sqlite3_stmt *insert_track =
        output_prepare(&shop->output, "INSERT INTO PlaylistTrack VALUES (?, ?)");
    char name[NAME_BYTES_MAX];

    for (int64_t id = 1; id <= shop->playlists; id++) {
        const struct playlist_kind *kind =
            &playlist_kinds[(uint64_t)(id - 1) % COUNT_OF(playlist_kinds)];
        long long round = (id - 1) / (int64_t)COUNT_OF(playlist_kinds);
        snprintf(name, sizeof name, round > 0 ? "%s (%lld)" : "%s", kind->name, round + 1);
        bind_integer(insert, 1, id);
        bind_text(insert, 2, name);
        output_step(&shop->output, insert);
        fill_playlist(shop, insert_track, id, kind->size);
    }
    if (shop->big_playlist_tracks > 0) {
        bind_integer(insert, 1, shop->playlists + 1);
        bind_text(insert, 2, "The Endless List");
        output_step(&shop->output, insert);
        fill_playlist(shop, insert_track, shop->playlists + 1, shop->big_playlist_tracks);
    }
    sqlite3_finalize(insert);
    sqlite3_finalize(insert_track);
}

/* --- the command */

static const char usage[] =
    "usage: musicshop [options] FILE\n"
    "Writes a sample SQLite database: a music shop of eleven tables, about 16,000 rows.\n"
    "\n"
    "  --scale N          N times the artists, albums, tracks, customers, invoices and playlists\n"
    "                     (1 to 10000; 1,600,000 rows at 100)\n"
    "  --seed N           another shop of the same shape (default 1)\n"
    "  --big-customer N   one more customer, with N invoices\n"
    "  --big-playlist N   one more playlist, with N tracks (the shop gets that many)\n"
    "  --force            replace FILE if it exists\n"
    "  --help             this text\n"
    "\n"
    "The same options give the same file. Exit: 0 done, 2 wrong usage, 3 failed.\n";

static int64_t max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static void shop_set_counts(struct shop *shop, int64_t scale)
{
    shop->tracks = max_of(3500 * scale, shop->big_playlist_tracks);
    shop->albums = shop->tracks / 10;
    shop->artists = shop->tracks * 2 / 25;
    shop->customers = 60 * scale;
    shop->invoices = 420 * scale;
    shop->playlists = (int64_t)COUNT_OF(playlist_kinds) * scale;
}

int main(int argc, char **argv)
{
    static const struct option options[] = {
        {"scale", required_argument, NULL, 's'},
        {"seed", required_argument, NULL, 'r'},
        {"big-customer", required_argument, NULL, 'c'},
        {"big-playlist", required_argument, NULL, 'p'},
        {"force", no_argument, NULL, 'f'},
        {"help", no_argument, NULL, 'h'},
        {NULL, 0, NULL, 0},
    };
    struct shop shop = {.seed = 1};
    int64_t scale = 1;
    bool force = false;

    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 's':
            scale = parse_number("--scale", optarg, 1, 10000);
            break;
        case 'r':
            shop.seed = (uint64_t)parse_number("--seed", optarg, 0, INT64_MAX);
            break;
        case 'c':
            shop.big_customer_invoices = parse_number("--big-customer", optarg, 1, 100000000);
            break;
        case 'p':
            shop.big_playlist_tracks = parse_number("--big-playlist", optarg, 1, 100000000);
            break;
        case 'f':
            force = true;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return EXIT_USAGE;
        }
    }
    if (argc - optind != 1) {
        fputs(usage, stderr);
        return EXIT_USAGE;
    }

    shop_set_counts(&shop, scale);
    output_open(&shop.output, argv[optind], force);
    output_execute(&shop.output, schema);
    fill_named(&shop, "INSERT INTO Genre VALUES (?, ?)", genres, COUNT_OF(genres));
    fill_named(&shop, "INSERT INTO MediaType VALUES (?, ?)", media_types, COUNT_OF(media_types));
    fill_artists(&shop);
    fill_albums(&shop);
    fill_tracks(&shop);
    fill_employees(&shop);
    fill_customers(&shop);
    fill_invoices(&shop);
    fill_playlists(&shop);
    output_execute(&shop.output, indexes);
    output_finish(&shop.output);
    return 0;
}
