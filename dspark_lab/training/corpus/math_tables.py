"""The tables of the math domain: names, objects and stories. See math_problems.py for how they are read.

A story is a block of lines: its steps, then '?' before every way to ask and '=' before the one answer; an indented line
continues the one above.
"""


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


GIRLS = _words("Anna Mia Emma Sara Lily Nora Ella Ruth Clara Julia Maria Alice Zoe Eva Ida Rosa Leah Grace Amy Kate")
BOYS = _words("Tom Ben Sam Max Leo Noah Paul Jack Hugo Omar Adam Felix Ivan Luke Carl Theo Mark Eric Dan Ali")
NAMES = GIRLS + BOYS

CHOICES: dict[str, tuple[str, ...]] = {
    "things": _words(
        "apples pears plums lemons oranges marbles stickers cards shells stamps buttons coins beads nuts cookies "
        "pencils toys stones balloons candles"
    ),
    "goods": _words("pens books cups hats plants lamps balls puzzles mugs scarves"),
    "extras": _words("maps kites bells brushes ribbons combs postcards notebooks"),
    "boxes": _words("boxes bags baskets jars bowls"),
    "chairs": _words("chairs desks benches trees tents"),
    "sweets": _words("cookies muffins buns pies cakes"),
}

STORIES = """
p=a+b q=p-c
? {name} has {a} {things}. {He} buys {b} more and gives {c} to {friend}. How many {things} does {name} have now?
? {name} owns {a} {things}, buys {b} more and then gives {c} to {friend}. How many {things} are left?
= {name} starts with {a} {things}. {He} buys {b} more: {a} + {b} = {p} {things}. {He} gives {c} to {friend}: {p} - {c}
  = {q} {things}. Now {name} has {q} {things}. The answer is {q}.

p=a-b q=p+c r=q-d
? {name} has {a} {things}. {He} loses {b}, finds {c} and gives {d} to {friend}. How many {things} does {name} have
  left?
? {name} had {a} {things} before {he} lost {b}. Then {he} found {c} and gave {d} to {friend}. How many {things} does
  {he} have now?
= {name} starts with {a} {things}. {He} loses {b}: {a} - {b} = {p} {things}. {He} finds {c}: {p} + {c} = {q} {things}.
  {He} gives {d} to {friend}: {q} - {d} = {r} {things}. Now {name} has {r} {things}. The answer is {r}.

p=a*b q=p+c
? {name} has {a} {boxes} with {b} {things} in each. {He} finds {c} more {things}. How many {things} does {he} have?
? There are {b} {things} in each of the {a} {boxes} that {name} owns. {friend} brings {c} more {things}. How many
  {things} are there in all?
= The {a} {boxes} hold {a} * {b} = {p} {things}. With {c} more, {name} has {p} + {c} = {q} {things}. So there are {q}
  {things}. The answer is {q}.

p=a*b q=p-c
? {name} fills {a} {boxes} with {b} {things} each. {friend} takes {c} {things}. How many {things} are left?
? {name} packs {a} {boxes} and puts {b} {things} in each. Then {friend} takes {c} of the {things}. How many {things}
  remain?
= {name} packs {a} * {b} = {p} {things}. {friend} takes {c}: {p} - {c} = {q} {things}. So {q} {things} are left. The
  answer is {q}.

p=a+b q=p/c
? {name} has {a} {things} and gets {b} more. {He} shares them equally among {c} friends. How many {things} does each
  friend get?
? {name} picks {a} {things} and {friend} picks {b}. They share them equally among {c} children. How many {things} does
  each child get?
= Together there are {a} + {b} = {p} {things}. Shared among {c}, each gets {p} / {c} = {q} {things}. So each of the
  {c} gets {q} {things}. The answer is {q}.

p=a-b q=p/c
? {name} has {a} {things}. {He} keeps {b} and puts the rest equally into {c} {boxes}. How many {things} are in each of
  the {boxes}?
? Of {a} {things}, {name} keeps {b}. The rest go equally into {c} {boxes}. How many {things} go into each of the
  {boxes}?
= {name} keeps {b} of the {things}: {a} - {b} = {p} {things} are left. Each of the {c} {boxes} holds {p} / {c} = {q}
  {things}. So there are {q} {things} in each. The answer is {q}.

p=a+b q=p-c
? A bus has {a} passengers. At the first stop {b} get on. At the next stop {c} get off. How many passengers are on the
  bus?
? {name} drives a bus with {a} passengers. First {b} people get on, then {c} get off. How many passengers are on the
  bus now?
= The bus starts with {a} passengers. After {b} get on: {a} + {b} = {p} passengers. After {c} get off: {p} - {c} = {q}
  passengers. So {q} passengers are on the bus. The answer is {q}.

p=a-b q=p+c r=q-d
? A train has {a} passengers. At one station {b} get off and {c} get on. At the next {d} get off. How many passengers
  stay on the train?
? {name} counts {a} people on a train. Then {b} leave, {c} come in and {d} leave. How many people are on the train
  now?
= The train starts with {a} people. {b} leave: {a} - {b} = {p} people. {c} come in: {p} + {c} = {q} people. {d} leave:
  {q} - {d} = {r} people. So {r} people are on the train. The answer is {r}.

p=a*b q=p-c
? {name} saves {a} dollars a week for {b} weeks. Then {he} spends {c} dollars. How many dollars does {name} have left?
? Every week {name} saves {a} dollars. After {b} weeks {he} spends {c} dollars on a gift for {friend}. How much money
  is left?
= In {b} weeks {name} saves {a} * {b} = {p} dollars. {He} spends {c}: {p} - {c} = {q} dollars. So {name} has {q}
  dollars left. The answer is {q}.

p=a*b q=p+c
? {name} earns {a} dollars a day for {b} days. Then {friend} gives {name} {c} dollars. How many dollars does {name}
  have?
? For {b} days {name} earns {a} dollars a day, and {he} already had {c} dollars. How many dollars does {he} have now?
= In {b} days {name} earns {a} * {b} = {p} dollars. With {c} more {he} has {p} + {c} = {q} dollars. So {name} has {q}
  dollars. The answer is {q}.

p=a+b q=p+c
? {name} is {a} years old. {friend} is {b} years older. How old will {friend} be in {c} years?
? {friend} is {b} years older than {name}, who is {a}. How old will {friend} be {c} years from now?
= {friend} is {a} + {b} = {p} years old now. In {c} years {friend} will be {p} + {c} = {q} years old. So {friend} will
  be {q}. The answer is {q}.

p=a*b q=p-c
? {name} is {a} years old and {his} teacher is {b} times as old. How old was the teacher {c} years ago?
? The teacher of {name} is {b} times as old as {name}, who is {a}. How old was the teacher {c} years ago?
= The teacher is {a} * {b} = {p} years old now. {c} years ago the teacher was {p} - {c} = {q} years old. So the
  teacher was {q}. The answer is {q}.

p=a*b q=p+c
? {name} walks {a} miles a day for {b} days and then {c} more miles with {friend}. How many miles does {name} walk?
? For {b} days {name} rides {a} miles a day. After that {he} rides another {c} miles. How many miles is that in all?
= In {b} days {name} covers {a} * {b} = {p} miles. With {c} more that makes {p} + {c} = {q} miles. So {name} covers
  {q} miles. The answer is {q}.

p=a-b q=p-c
? A trail is {a} miles long. {name} hikes {b} miles in the morning and {c} miles in the afternoon. How many miles are
  left?
? {name} and {friend} want to walk {a} miles. They walk {b} miles on the first day and {c} on the second. How many
  miles remain?
= The way is {a} miles long. After the first {b} miles, {a} - {b} = {p} miles are left. After {c} more, {p} - {c} =
  {q} miles are left. So {q} miles remain. The answer is {q}.

p=a*b q=c*d r=p+q
? {name} buys {a} {goods} for {b} dollars each and {c} {extras} for {d} dollars each. How many dollars does {he} pay?
? A shop sells {goods} at {b} dollars each and {extras} at {d} dollars each. How much do {a} {goods} and {c} {extras}
  cost {name}?
= The {goods} cost {a} * {b} = {p} dollars. The {extras} cost {c} * {d} = {q} dollars. Together {name} pays {p} + {q}
  = {r} dollars. So the {goods} and {extras} cost {r} dollars. The answer is {r}.

p=a*b q=c-p
? {name} buys {a} {goods} for {b} dollars each and has {c} dollars. How many dollars are left?
? {name} has {c} dollars and buys {a} {goods} at {b} dollars each. How much money does {he} have left?
= The {goods} cost {a} * {b} = {p} dollars. {name} has {c} - {p} = {q} dollars left. So {name} keeps {q} dollars. The
  answer is {q}.

p=a*b q=c-p
? A book has {c} pages. {name} reads {a} pages a day for {b} days. How many pages are left to read?
? {name} reads {a} pages a day of a book with {c} pages. How many pages are left after {b} days?
= In {b} days {name} reads {a} * {b} = {p} pages. Then {c} - {p} = {q} pages are left. So {name} still has {q} pages.
  The answer is {q}.

p=a*b q=p-c r=q+d
? There are {a} rows of {b} {chairs}. {name} takes away {c} {chairs} and {friend} adds {d}. How many {chairs} are
  there now?
? {name} counts {a} rows with {b} {chairs} each. Then {c} {chairs} are removed and {d} are added. How many {chairs}
  are there?
= The rows have {a} * {b} = {p} {chairs}. Without {c} there are {p} - {c} = {q} {chairs}. With {d} more there are {q}
  + {d} = {r} {chairs}. So there are {r} {chairs} now. The answer is {r}.

p=a*b q=p/c
? {name} bakes {a} trays of {b} {sweets} and packs them into bags of {c}. How many bags does {he} fill?
? {name} and {friend} bake {a} trays with {b} {sweets} each. They put {c} {sweets} into each bag. How many bags do
  they fill?
= The trays hold {a} * {b} = {p} {sweets}. In bags of {c} that makes {p} / {c} = {q} bags. So there are {q} bags of
  {sweets}. The answer is {q}.

p=a/b q=p*c
? {name} pays {a} dollars for {b} {goods}. How many dollars do {c} {goods} cost?
? If {b} {goods} cost {a} dollars, how much does {name} pay for {c} {goods}?
= Each of the {goods} costs {a} / {b} = {p} dollars. So {c} {goods} cost {p} * {c} = {q} dollars. So {name} pays {q}
  dollars. The answer is {q}.

p=a+b q=p*c
? {name} works {a} hours on Monday and {b} hours on Tuesday for {c} dollars an hour. How many dollars does {he} earn?
? At {c} dollars an hour, {name} works {a} hours one day and {b} hours the next. How much does {he} earn?
= {name} works {a} + {b} = {p} hours. At {c} dollars an hour {he} earns {p} * {c} = {q} dollars. So {name} gets {q}
  dollars. The answer is {q}.

p=a-b q=a+p
? {name} has {a} {things}. {friend} has {b} fewer. How many {things} do they have together?
? {friend} has {b} fewer {things} than {name}, who has {a}. How many {things} do both have?
= {friend} has {a} - {b} = {p} {things}. Together they have {a} + {p} = {q} {things}. So both have {q} {things}. The
  answer is {q}.
"""
