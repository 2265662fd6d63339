"""Mutants of the teachers' solutions that are correct as well, and why."""

AGAIN = "the same version is the same event: to write it again changes nothing"

SOON = "the exercise does not say when: sooner or later is as right"

APART = "neither line looks at what the other does, and both are in one transaction or change nothing"
MONEY = "have = 'select money from accounts where customer = ?'"
TAKE = "db.execute(take, (event.total, event.customer))"
CHARGE = "db.execute('insert into charges values (?, ?)', (event.order_id, event.total))"

SURVIVORS: dict[str, dict[str, str]] = {
    "01.3": {
        "5 -> 6": SOON,
        "5 -> 4": SOON,
        "5 -> 0": SOON,
    },
    "02.2": {
        "GtE: known[0] > event.version": AGAIN,
        "0 -> -1": "the row has one column: its first is its last",
    },
    "02.3": {
        "excluded.version > addresses.version -> excluded.version >= addresses.version": AGAIN,
    },
    "05.2": {
        f"swapped: db.execute('insert into done values (?, ?)', note) | {MONEY}": APART,
        "swapped: if money < event.total: | take = 'update accounts set money = money - ? where customer = ?'": APART,
        f"swapped: {TAKE} | {CHARGE}": APART,
    },
    "05.3": {
        "swapped: [(money,)] = db.execute(have, (event.customer,)) | outcome = PaymentRefused(**event.model_dump())": APART,
        f"swapped: {TAKE} | {CHARGE}": APART,
        f"swapped: {CHARGE} | outcome = PaymentCharged(**event.model_dump())": APART,
        "0 -> -1": "what is found or made has one part: its first is its last",
    },
    "06.3": {
        "swapped: last = dict(log) | way = ['ReserveInventory', 'ChargePayment', 'ShipOrder', 'OrderCompleted']": APART,
    },
}
