"""The free slots of the chat domain's replies. See chat.py for the grammar that reads them."""


def split_row(text: str) -> tuple[str, ...]:
    """Split a table row at its bars; joining the lines keeps long rows readable."""
    return tuple(" ".join(part.split()) for part in text.split("|"))


# Slots of replies: free, every entry as good as the next; entries may nest slots.
FREE: dict[str, tuple[str, ...]] = {
    "easy": split_row("long|short|slow|calm|quiet|sunny|peaceful|nice|brisk|gentle|little|relaxed"),
    "some": split_row("some|plenty of|a little|fresh|more|enough|good|a lot of"),
    "then": split_row("then|next|after that|later|also|afterwards"),
    "because": split_row("because|since|as"),
    "tea": split_row("lemon|ginger|honey|mint|milk|sugar|cinnamon|orange|vanilla|apple|berry|rose"),
    "its": split_row("it is|it's|that is|that's"),
    "could": split_row("could|can|may|might|should"),
    "ten": split_row("five|ten|fifteen|twenty|thirty|forty|sixty|eight"),
    "good": split_row("good|great|fine|nice|lovely|perfect|wonderful|pleasant|splendid|beautiful|super|fantastic"),
    "small": split_row("small|little|simple|modest|tiny|new|nice|neat"),
    "old": split_row(
        "old|famous|quiet|busy|big|charming|colourful|historic|green|sunny|lively|grand|white|"
        "romantic|bright|main|royal"
    ),
    "very": split_row("very|really|quite|so|rather|truly|pretty"),
    "two": split_row("two|three|four|five|six"),
    "when": split_row(
        "in the morning|at noon|in the evening|after work|after lunch|after dinner|at night|"
        "before dinner|in the afternoon|after breakfast|before work|before lunch|at sunset|before bed"
    ),
    "all": split_row("everyone|almost anyone|the whole family|young and old|most people|all my friends"),
    "with": split_row(
        "with a friend|alone|with your family|with good music|with a cup of tea|with an open mind|"
        "without hurry|with a smile|with a good plan|in peace|at home|outside"
    ),
    "herb": split_row(
        "basil|garlic|ginger|lemon|pepper|honey|cheese|olives|parsley|mint|chili|nuts|cream|butter|"
        "onions|herbs|salt|oil|thyme|lime|sesame|tomato|bacon|corn|peas"
    ),
    "theme": split_row(
        "two brothers|a lost city|the sea|a chef|a long trip|an island|a small town|first love|"
        "an old clock|a stolen car|the hills|a night train|three sisters|a letter|music|a king|"
        "old age|the moon|a dog|a cat|winter|war and peace|money|friends"
    ),
    "ok": split_row(
        "of course|no problem|sure|sure thing|certainly|happy to help|gladly|with pleasure|absolutely|"
        "of course, no problem|no problem at all|yes, of course|all right|I am glad you asked|"
        "great idea|with joy|very well|yes, gladly|sure, no problem|yes, certainly|of course I can help"
    ),
    "welcome": split_row(
        "you are welcome|no problem|of course|any time|my pleasure|glad to help|it was nothing|"
        "no problem at all|that is {very} kind of you|do not mention it|you are most welcome"
    ),
    "suggest": split_row(
        "I would go for|I'd go for|you could try|you can try|I would suggest|I'd suggest|"
        "my first idea is|I can recommend|you might enjoy|you may like|a safe choice is|"
        "my favourite is|one {good} choice is|many people love|I would pick|I'd take"
    ),
    "also": split_row(
        "if not, try|another {good} idea is|you could also go for|just as {good} would be|"
        "or maybe try|a close second is|do not forget|my second choice would be|for a change, try|"
        "some people prefer|I also like|then there is"
    ),
    "dish": split_row(
        "{hot} soup with {herb}|{hot} salad with {herb}|pasta with {herb} and {herb}|"
        "rice with {some} {herb}|{hot} curry with {herb}|bread with {some} {herb}|"
        "an omelette with {herb}|{hot} pie with {herb}|{hot} stew with {herb}|{hot} tart with {herb}|"
        "fish with {some} {herb}|pizza with {some} {herb}"
    ),
    "hot": split_row(
        "a hot|a cold|a light|a simple|a rich|a spicy|a green|a mild|a colourful|a creamy|a fresh|a big|a small|a quick"
    ),
    "dishwhy": split_row(
        "{its} {very} easy to make|{all} will like it|it takes only {ten} minutes|"
        "{its} {very} light|you can make it {when}|it needs only {two} things|"
        "it tastes {good} {when}|{its} {good} {when}|it always works"
    ),
    "book": split_row(
        "a {kind} novel about {theme}|a {kind} tale of {theme}|a {kind} story of {theme}|"
        "a {kind} essay on {theme}|a {kind} poem about {theme}|a {kind} diary about {theme}|"
        "a {kind} history of {theme}|a {kind} book on {theme}"
    ),
    "film": split_row(
        "a {kind} film about {theme}|a {kind} comedy about {theme}|a {kind} drama about {theme}|"
        "a {kind} musical about {theme}|a {kind} cartoon about {theme}|a {kind} classic about {theme}"
    ),
    "kind": split_row(
        "modern|classic|French|witty|gentle|dark|warm|clever|long|slow|bold|strange|sweet|quiet|wild|"
        "short|deep|light|smart|calm|fresh"
    ),
    "artwhy": split_row(
        "the ending is {good}|the people in it feel {very} real|it never gets dull|"
        "{its} {good} {with}|you {could} enjoy it {with}|{all} will enjoy it|"
        "the pictures are {good}|{its} {good} {when}"
    ),
    "gift": split_row(
        "a {colour} scarf|a {colour} plant|a box of {tea} sweets|a ticket for a {kind} film|"
        "a {colour} notebook|a pair of {colour} mugs|a {colour} umbrella|a game about {theme}|"
        "a photo of {theme}|a book about {theme}|a {colour} blanket|a jar of {colour} sweets|"
        "a {colour} hat"
    ),
    "colour": split_row(
        "red|blue|green|yellow|white|black|soft|bright|purple|brown|grey|pink|silver|golden|light|dark"
    ),
    "giftwhy": split_row(
        "{its} {very} personal|it shows that you care|{all} could use one|"
        "it lasts {two} years or more|{its} {very} easy to wrap|it does not cost much|"
        "it looks {good}|{its} {good} to share"
    ),
    "outing": split_row(
        "a {easy} walk by the {water}|a visit to the {old} museum|a bike ride to the {water}|"
        "an hour at the {old} market|a {kind} film at home|{two} hours at the {water}|"
        "lunch at the {old} cafe|a {easy} trip to the {old} {water}|"
        "a {small} picnic by the {water}|a swim {when}"
    ),
    "water": split_row(
        "river|lake|sea|hills|park|forest|harbour|castle|canal|mountains|beach|gardens|coast|woods|fields|bay"
    ),
    "outwhy": split_row(
        "a change is {good} for you|it costs next to nothing|it feels {good} {when}|"
        "there is so much to see|{its} {good} {with}|{all} can enjoy it|you {could} take your time|"
        "{its} {very} relaxing"
    ),
    "invite": split_row(
        "I would love to see you at|please come to|you are invited to|do join us for|"
        "it would be {good} to have you at|I hope you can make it to|come along to|"
        "we'd be {very} happy to see you at"
    ),
    "bring": split_row(
        "just bring {good} music|bring {two} friends if you like|there will be {dish}|"
        "I will make {dish}|let me know if you can come|we will have {good} music|"
        "no need to bring anything|a {colour} hat would be fun|{two} friends are coming too"
    ),
    "draft": split_row(
        "how about this|here is a {small} draft|you {could} write|try this|here is one {good} idea|"
        "this should do|maybe like this|here you go"
    ),
    "step": split_row(
        "start with {ten} minutes a day|begin with {two} {small} steps|do it {when}|"
        "put a {colour} note on your door|write it down {when}|ask {two} friends to join you|"
        "plan it {when}|do it {with}|keep your phone away {when}|choose a {good} place for it"
    ),
    "stepwhy": split_row(
        "{small} steps work {very} well|after {two} weeks it feels {very} normal|"
        "it gets easier after {two} days|a missed day is no problem|"
        "it is of course {very} hard at first|{its} {good} to do it {with}|"
        "the first {two} days are the hardest"
    ),
    "sky": split_row(
        "{good} for a {easy} walk|{good} for staying in|{good} for a cup of tea|"
        "{good} for {two} photos|{good} for a {kind} book|{very} normal these days|{good} for {dish}|"
        "{good} {with}"
    ),
    "wear": split_row(
        "take a {colour} jacket|do not forget a {colour} hat|enjoy it {with}|"
        "keep a {colour} umbrella at hand|drink some tea with {tea}|open a window {when}|"
        "take a walk {when}|cook {dish}"
    ),
    "forgive": split_row(
        "no problem|do not worry|don't worry|it happens to all of us|that is of course all right|"
        "there is no need to apologise|no problem at all|it's already forgotten|no harm was done|"
        "of course I forgive you|please do not feel bad"
    ),
    "mend": split_row(
        "we {could} try again {when}|thank you for telling me|next time just call me {when}|"
        "let us leave it behind us|{its} {very} kind of you to say so|we will find a {good} way|"
        "we all have {very} bad days|{dish} will make up for it|let us meet {when} and laugh"
    ),
    "sight": split_row(
        "the {old} market|the {old} harbour|the {old} castle|the {old} garden|the {old} museum|"
        "the {old} cafes|the {old} bridges|the {old} opera|the {old} streets|the {old} {water}|"
        "the {old} library|the {old} square"
    ),
    "travel": split_row(
        "go there {when}|buy a ticket for {two} days|wear {good} shoes|"
        "stay {two} nights by the {water}|try {dish}|learn {two} words of the language|"
        "leave {two} days without a plan|see it {with}|take a walk to the {water} {when}"
    ),
    "cheer": split_row(
        "you can do it|you are {very} well prepared|take {two} deep breaths|"
        "think of {two} {good} things|trust what you have learned|nobody is perfect|"
        "believe in yourself|you have done harder things|a little fear is {very} normal|"
        "you are {very} strong"
    ),
    "calm": split_row(
        "sleep well the night before|practise {two} times {when}|make a {small} list {when}|"
        "talk it over {with}|take a walk {when}|start with the {two} easy parts|think of it {with}"
    ),
    "luck": split_row(
        "I am {very} sure it will go well|good luck|I will think of you {when}|"
        "you will be {very} proud|I believe in you|have {dish} when it is done|"
        "you deserve a {good} rest"
    ),
    "meet": split_row(
        "works {very} well for me|suits me {very} well|is of course fine|is no problem|sounds {good}|"
        "is {good} for me|would be {good}|looks {good} in my calendar"
    ),
    "place": split_row(
        "let us meet at the {old} cafe|we {could} meet at the {old} station|"
        "I suggest the {old} library|let us talk on the phone|the {old} room is free|"
        "we {could} walk to the {water}|I will wait by the {water}"
    ),
    "ready": split_row(
        "I will bring {two} ideas|{ten} minutes should be enough|send me {two} questions before|"
        "I will bring tea with {tea}|just call if you are late|I will call you {when}|"
        "I have {two} hours for you"
    ),
    "cook": split_row(
        "fry {some} {herb} in oil first|use {some} {herb}|add {herb} and {herb} at the end|"
        "roast it with {some} {herb}|let it simmer {ten} minutes with {herb}|"
        "start with {herb} and {herb}|cook it slowly with {some} {herb}|"
        "keep the heat low for {ten} minutes|add {some} {herb}"
    ),
    "serve": split_row(
        "serve it with {some} {herb}|{its} {good} with {dish}|{some} {herb} on top is {good}|"
        "leave it to rest for {ten} minutes|it keeps for {two} days|{its} {good} {when}|"
        "it is ready in {ten} minutes|eat it {with}"
    ),
    "feel": split_row(
        "I am {very} well|I'm {very} well|all is {good} here|I am {very} happy today|life is {good}|"
        "my day is {good} so far|I am in a {good} mood|I'm {very} glad to hear from you"
    ),
    "turn": split_row(
        "how are you|what are your plans for {day}|how can I help you|"
        "what would you like to talk about|what is new with you|how was your day|"
        "what is on your mind|do you like {dish}"
    ),
    "start": split_row(
        "buy {two} {small} things you need|find a {small} group near you|"
        "practise {two} times a week|watch {two} lessons first|ask {two} friends for help|"
        "try a {small} class for beginners|set {two} {small} goals|give yourself {two} months|"
        "do it {with}"
    ),
    "bye": split_row(
        "enjoy|have fun|have a {good} day|tell me how it goes|just ask for more ideas|all the best|"
        "take care|I hope that helps|see what you like best|tell me if you want more|"
        "have a {good} time|see you soon|until next time|have a {good} {day}|bye for now|let me know"
    ),
    "hello": split_row("hello|hi|hi there|good to see you|nice to hear from you|hello there|welcome|good day to you"),
    "praise": split_row(
        "{its} a {good} day for {outing}|there is so much to talk about|I would like {dish} now|"
        "I was just thinking about {hobby} {with}|{city} must be {very} nice now|"
        "a little {hobby} would be {good} today|today feels like {outing}"
    ),
}
