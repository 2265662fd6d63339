"""Mutants of the teachers' solutions that are correct as well, and why."""

AGAIN = "the same version is the same event: to write it again changes nothing"

SOON = "the exercise does not say when: sooner or later is as right"

APART = (
    "neither line looks at what the other does, and both are in one transaction or change nothing"
)
MONEY = "have = 'select money from accounts where customer = ?'"
TAKE = "db.execute(take, (event.total, event.customer))"
CHARGE = "db.execute('insert into charges values (?, ?)', (event.order_id, event.total))"
ASK = "answer = await ctx.ask(CheckFraud(**command.model_dump()))"
REFUSE = "decision = WithdrawalRefused(amount=command.amount)"
PEAKS = "update peaks set balance = balance + ?1, highest = max(highest, balance + ?1) where account = ?2"
TAKE_OFF = "db.execute(take, (message.pieces,))"
SPREAD = "waits that grow and are spread are right, whatever their length"
ASKED = "it asks where it need not, and is told the same"

SURVIVORS: dict[str, dict[str, str]] = {
    "01.1": {
        "LtE: asked_at < figures('01.1')['outage']": "questions are asked at half seconds",
    },
    "01.3": {
        "5 -> 6": SOON,
        "5 -> 4": SOON,
    },
    "02.2": {
        "Gt: row[0] >= event.version": AGAIN,
        "0 -> -1": "the row has one column: its first is its last",
    },
    "02.3": {
        "swapped: if row and row[0] >= event.version: | db.execute('insert or ignore into contacts "
        "(customer) values (?)', (event.customer,))": "where a version is noted, the row is there",
        "swapped: db.execute(f'update contacts set {event.field} = ? where customer = ?', "
        "(event.value, event.customer)) | db.execute('insert or replace into versions values "
        "(?, ?, ?)', (event.customer, event.field, event.version))": "one transaction, in any order",
        "Gt: row[0] >= event.version": AGAIN,
        "0 -> -1": "the row has one column: its first is its last",
    },
    "03.1": {
        f"swapped: with ctx.database as db: | {ASK}": "fraud is asked first, and then it is read: as right",
        f"swapped: {ASK} | {REFUSE}": APART,
    },
    "03.2": {
        f"swapped: if ctx.message.id in [fact.causation for fact in past]: | {ASK}": ASKED,
        f"swapped: {ASK} | {REFUSE}": APART,
    },
    "03.3": {
        "swapped: mine = figures('03.3') | def report(as_of=None):": APART,
        "swapped: def report(as_of=None): | days = [f'{day:%Y-%m-%d}' for day in "
        "pd.date_range(mine['day'], periods=31)]": APART,
        "0 -> 1": "a balance that begins elsewhere: both reports have it",
        "0 -> -1": "a balance that begins elsewhere: both reports have it",
        "31 -> 32": "a day more than is looked at",
        "31 -> 30": "a day fewer, and still enough",
    },
    "04.2": {
        f"swapped: db.execute('{PEAKS}', (event.amount, event.account)) | move(db, 'peaks', event.position)": APART,
    },
    "04.3": {
        "swapped: with ctx.database as db: | entries = [event]": APART,
        "GtE: event.position > seen + 1": ASKED,
        f"swapped: db.execute('{PEAKS}', (entry.amount, entry.account)) | move(db, 'peaks', entry.position)": APART,
        "'peaks' -> 'peaksx'": "the first `at`: it asks for everything, and counts what is new",
        "1 -> 0": ASKED,
    },
    "05.1": {
        f"swapped: db.execute('insert into done values (?, ?)', note) | {MONEY}": APART,
        "swapped: [(money,)] = db.execute(have, (event.customer,)) | outcome = PaymentRefused(**event.model_dump())": APART,
        f"swapped: {TAKE} | {CHARGE}": APART,
        f"swapped: {CHARGE} | outcome = PaymentCharged(**event.model_dump())": APART,
    },
    "05.3": {
        "swapped: [(money,)] = db.execute(have, (event.customer,)) | outcome = PaymentRefused(**event.model_dump())": APART,
        f"swapped: {TAKE} | {CHARGE}": APART,
        f"swapped: {CHARGE} | outcome = PaymentCharged(**event.model_dump())": APART,
        "0 -> -1": "what is found or made has one part: its first is its last",
    },
    "06.1": {
        "1 -> 2": "rounded to hundredths",
    },
    "06.3": {
        "swapped: last = dict(log) | undo = {'ChargePayment': 'RefundPayment', 'ReserveInventory': "
        "'ReleaseInventory'}": APART,
        "swapped: silent = [step for step in undo if log.count((step, 'no answer')) >= 3] | way = "
        "['ReserveInventory', 'ChargePayment', 'ShipOrder', 'OrderCompleted']": APART,
    },
    "07.2": {
        "version < ?2 -> version <= ?2": AGAIN,
    },
    "07.3": {
        "swapped: if not db.execute('insert or ignore into moves values (?, ?, ?)', (event.product, "
        "event.number, event.by)).rowcount: | add = 'update products set stock = stock + ?, "
        "number = max(number, ?) where product = ?'": APART,
        "swapped: add = 'update products set stock = stock + ?, number = max(number, ?) where "
        "product = ?' | find = 'select number from products where product = ?'": APART,
        "swapped: if event.number < last: | find = 'select number, by from moves where product = ? "
        "and number > ? order by number'": APART,
        "swapped: for gap in range(last + 1, number): | db.execute(add, (by, number, "
        "event.product))": APART,
        "swapped: db.execute(add, (by, number, event.product)) | last = number": APART,
        "LtE: event.number < last": "the last number has been applied, so it is not new",
    },
    "08.2": {
        "swapped: if new and good: | find = 'select amount, answer from answers where key = ?'": APART,
    },
    "08.3": {
        "swapped: if answer != 'charged': | with ctx.database as db:": "what is saved and not published changes nothing",
        "swapped: db.execute('insert or ignore into outbox values (?, ?)', (event.order_id, envelope)) | "
        "find = 'select event from outbox where order_id = ?'": APART,
        "0 -> -1": "the row has one column: its first is its last",
    },
    "09.1": {
        "GtE: sum(pieces) > 10": "no two sales come to just as many as there are",
        "10 -> 9": "no two sales come to just as many as there are",
        "LtE: second['time'] < 4": "nobody changes a price between 2.3 s and 6 s",
        "4 -> 5": "nobody changes a price between 2.3 s and 6 s",
        "4 -> 3": "nobody changes a price between 2.3 s and 6 s",
    },
    "09.2": {
        "swapped: if known['north'] >= message.north and known['south'] >= message.south: | "
        "await ctx.sleep(0.1)": "it waits for 0.1 s first, which is soon enough",
        "8 -> 9": "the wait is as long as it should be, to a tenth of a second",
        "8 -> 7": "the wait is as long as it should be, to a tenth of a second",
    },
    "09.3": {
        "swapped: [(share,)] = db.execute('select pieces from share') | "
        "if isinstance(message, PiecesMoved):": APART,
        "swapped: if isinstance(message, PiecesMoved): | "
        "if isinstance(message, SellInNorth | SellInSouth):": APART,
        "swapped: if isinstance(message, SellInNorth | SellInSouth): | "
        "find = 'select event from moved where transfer_id = ?'": APART,
        f"swapped: {TAKE_OFF} | db.execute('insert into sales values (?, ?)', "
        "(message.order_id, message.pieces))": APART,
        "swapped: if share < message.pieces: | saved = [ctx.envelope("
        "PiecesMoved(**message.model_dump()))]": "an envelope that nobody publishes changes nothing",
        f"swapped: saved = [ctx.envelope(PiecesMoved(**message.model_dump()))] | {TAKE_OFF}": APART,
        f"swapped: {TAKE_OFF} | db.execute('insert into moved values (?, ?)', "
        "(message.transfer_id, *saved))": APART,
        "0 -> -1": "what is found or made has one part: its first is its last",
    },
    "10.1": {
        "swapped: field, strict = (before or after, change['billing reads'] == 'strict') | added = "
        "'readers' if after else 'writers'": "both are set before they are used",
        "GtE: len(after) > len(before)": "no change has two texts of one length there",
    },
    "10.2": {"swapped: def to_2(data): | def to_3(data):": "both are defined before they are used"},
    "10.3": {
        "swapped: def with_cents(old): | class Expanded(Event, name='OrderPlaced', version=2, "
        "topic='orders'):": "neither uses the other",
        "swapped: class Expanded(Event, name='OrderPlaced', version=2, topic='orders'): | class "
        "Contracted(Event, name='OrderPlaced', version=3, topic='orders', upcasts={1: "
        "with_cents}):": "neither uses the other",
        "swapped: order_id: str | total: float": "fields have no order",
        "swapped: total: float | cents: int": "fields have no order",
        "swapped: order_id: str | cents: int": "fields have no order",
        "3 -> 4": "any number above 2 is a newer version",
        "1 -> 2": "on its way to version 3 a message of version 1 passes this step, too, with its total",
    },
    "11.1": {
        "swapped: if crash == 'relay: publish': | if crash == 'relay: delete':": "no crash is before both",
    },
    "11.2": {
        "swapped: with ctx.database as db: | stuck = set()": "the set is empty, before or after",
        "swapped: if order_id in stuck: | state = 'sent'": "a row that waits needs no state",
        "'sent' -> 'sentx'": "check sees what is published, and reads no states but 'waiting' and 'parked'",
        "swapped: stuck.add(order_id) | attempts, state = (attempts + 1, 'waiting')": "neither line looks at what the other does",
        "swapped: await ctx.publish(RowParked(id=id, order_id=order_id)) | state = 'parked'": "the state is saved after both",
    },
    "11.3": {
        "swapped: if order_id in stuck: | with ctx.database as db:": "the leader passes its fence for a row that waits, too",
        "swapped: with ctx.database as db: | stuck = set()": "the set is empty, before or after",
    },
    "12.1": {
        "swapped: needed = int(arrivals * service) + 1 | grows = arrivals - workers / service": APART,
        "20 -> 21": "within the tolerance",
        "20 -> 19": "within the tolerance",
    },
    "12.2": {
        "8 -> 9": SPREAD,
        "8 -> 7": SPREAD,
        "0.5 -> 1.5": SPREAD,
        "2 -> 3": SPREAD,
    },
    "12.3": {
        "swapped: if not letter.reason.startswith(('Unanswered', 'Busy')) or letter.redrives >= 3: | "
        "while await ctx.ask(GetHealth()) != 'well':": "it asks first, and then keeps the letter: as right",
        "0.5 -> 1.5": SOON,
        "'for a person: ' -> 'for a person: x'": "other words",
        "1 -> 2": SOON,
    },
}
