"""What people ask about in the chat domain, and the shapes of replies. See chat.py for the grammar."""

from .chat_tables import split_row

# Slots of prompts: remembered, so that a reply speaks of the same thing.
ASKED: dict[str, tuple[str, ...]] = {
    "day": split_row("Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday"),
    "time": split_row("nine|ten|eleven|noon|one|two|three|four|five|six|seven|eight"),
    "friend": split_row(
        "my friend|my sister|my brother|my neighbour|my colleague|my cousin|my teacher|my uncle|my aunt"
    ),
    "party": split_row(
        "a birthday party|a dinner|a picnic|a film night|a barbecue|a game night|a small concert|a brunch"
    ),
    "hobby": split_row(
        "painting|running|cooking|singing|chess|gardening|swimming|photography|dancing|yoga|cycling|tennis"
    ),
    "task": split_row("the report|the exam|my new job|the move|the speech|the project|my first race|the interview"),
    "city": split_row("Paris|Rome|Lisbon|Vienna|Oslo|Prague|Madrid|Athens|Dublin|Berlin|Kyoto|Boston|Cairo|Lima"),
    "meal": split_row("breakfast|lunch|dinner|a picnic|a small party|a cold evening|a lazy Sunday|a summer night"),
    "mood": split_row("funny|calm|thrilling|romantic|short|clever|moving|cheerful"),
    "food": split_row("rice|potatoes|beans|mushrooms|tomatoes|lentils|noodles|carrots|fish|pumpkin|spinach|chicken"),
    "weather": split_row("sunny|rainy|windy|cold|foggy|warm|cloudy|snowy"),
    "habit": split_row(
        "sleep better|read more|drink more water|get up early|eat more fruit|walk every day|"
        "save money|stay focused|learn new words|keep my desk tidy"
    ),
    "fault": split_row(
        "being late|forgetting the date|missing the call|breaking the cup|losing the keys|"
        "making noise|answering late|mixing up the days"
    ),
    "favour": split_row(
        "the advice|the recipe|the quick answer|the tip|the lovely letter|the good idea|the plan|the help"
    ),
}

# Topic: ways to ask / replies. '{Slot}' starts with a capital letter.
TOPICS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "thanks": (
        split_row(
            "Thank you for {favour}, it helped me with {task}.|Thanks for {favour}! {Friend} liked it too.|"
            "I want to say thanks for {favour} on {day}.|Many thanks for {favour}, {name} and I are very happy."
        ),
        split_row(
            "{Welcome}! I am happy that {favour} came at the right time. {Bye}!|"
            "{Welcome}! It is good to hear that you liked {favour}. {Turn}?|"
            "{Welcome}. I was glad to do it, and thank you for telling me about {favour}. {Turn}?"
        ),
    ),
    "food": (
        split_row(
            "What should I eat for {meal} with {friend}?|Can you recommend some food for {meal} on {day}?|"
            "{name} is coming for {meal}. What can I serve?|I need an idea for {meal} with {food}."
        ),
        split_row(
            "{Ok}! For {meal} {suggest} {dish}, {because} {dishwhy}. {Also} {dish}. {Bye}!|"
            "{Ok}! {Suggest} {dish} for {meal}: {dishwhy}, and {dishwhy}. {Serve}.|"
            "For {meal}, {suggest} {dish} or {dish}. {Dishwhy}, and {serve}."
        ),
    ),
    "book": (
        split_row(
            "Can you recommend a {mood} book for {friend}?|I am looking for a {mood} book to read on {day}.|"
            "Which {mood} book would {name} like?"
        ),
        split_row(
            "{Ok}! If you want a {mood} book, {suggest} {book}: {artwhy}. {Also} {book}. {Bye}!|"
            "{Ok}! For a {mood} book, {suggest} {book}, {because} {artwhy} and {artwhy}. {Bye}!"
        ),
    ),
    "film": (
        split_row(
            "Which {mood} film should I watch with {friend}?|Do you know a {mood} film for {day}?|"
            "{name} wants to see a {mood} film with me. Any ideas?"
        ),
        split_row(
            "{Ok}! For a {mood} film, {suggest} {film}, {because} {artwhy}. {Also} {film}. {Bye}!|"
            "{Ok}! For a {mood} night, {suggest} {film}: {artwhy}. {Also} {film}: {artwhy}."
        ),
    ),
    "weekend": (
        split_row(
            "What can I do on {day} with {friend}?|It is {weather} on {day}. What could {name} and I do?|"
            "Do you have a plan for {day} at {time}?"
        ),
        split_row(
            "{Ok}! For {day} {suggest} {outing}, {because} {outwhy}. {Also} {outing}. {Bye}!|"
            "{Ok}! On {day} {suggest} {outing} and {then} {outing}: {outwhy}. {Bye}!"
        ),
    ),
    "gift": (
        split_row(
            "What is a good gift for {friend}, who likes {hobby}?|{name} likes {hobby}. What gift should I buy?|"
            "I need a gift for {friend} by {day}."
        ),
        split_row(
            "{Ok}! As a gift {suggest} {gift}, {because} {giftwhy}. {Also} {gift}: {giftwhy}. {Bye}!|"
            "{Ok}! {Suggest} {gift} or {gift}. As a gift, {giftwhy}, and {giftwhy}."
        ),
    ),
    "invitation": (
        split_row(
            "Write a short invitation to {party} on {day} for {name}.|"
            "Help me invite {name} to {party} at {time}.|I want to invite {name} to {party} on {day} at {time}."
        ),
        split_row(
            "{Ok}! {Draft}: Dear {name}, {invite} {party}. {Bring}, and {bring}. {Bye}!|"
            "{Ok}, {draft}: Hello {name}, {invite} {party}. {Bring}. {Bring}."
        ),
    ),
    "habit": (
        split_row(
            "How can I {habit}?|{name} and I want to {habit}. Do you have a tip?|"
            "I want to {habit} from {day} on. How do I begin?|How can {friend} help me to {habit}?"
        ),
        split_row(
            "{Ok}! To {habit}, {step} and {step}. {Stepwhy}, and {stepwhy}.|"
            "{Ok}! If you want to {habit}, {step}. {Then} {step}: {stepwhy}. {Bye}!"
        ),
    ),
    "weather": (
        split_row(
            "It is so {weather} in {city} today.|Will it be {weather} on {day} in {city}?|"
            "{name} says it is {weather} in {city}. What do you think?"
        ),
        split_row(
            "A {weather} day in {city} is {sky}. {Wear}, and {wear}. {Turn}?|"
            "{Weather} days in {city} are {sky}. {Wear}! {Suggest} {outing}.|"
            "I hear that {city} can be {weather}. It is {sky}, so {wear}. {Also} {outing}."
        ),
    ),
    "apology": (
        split_row(
            "I am sorry for {fault} on {day}.|Please tell {name} that I am sorry for {fault}.|"
            "Sorry for {fault}, {friend} told me about it.|I feel bad for {fault} at {time}."
        ),
        split_row(
            "{Forgive}. {Fault} is not so bad, and {mend}. {Turn}?|"
            "{Forgive}! As for {fault}, {forgive}. {Mend}, and {mend}.|"
            "{Forgive}, {forgive}. {Mend}. After {fault}, a kind word is enough."
        ),
    ),
    "travel": (
        split_row(
            "What should I see in {city} on {day}?|I travel to {city} with {friend}. Any tips?|"
            "{name} and I go to {city} on {day}. What do you recommend?"
        ),
        split_row(
            "{Ok}! In {city} you {could} see {sight} and {sight}. {Travel}, and {travel}. {Bye}!|"
            "{Ok}! {City} is {good}: visit {sight}, {then} {sight}. {Travel}. {Bye}!"
        ),
    ),
    "greeting": (
        split_row(
            "How are you on this {weather} {day}?|I am {name} from {city}. How are you?|"
            "Nice to meet you, my name is {name} and I like {hobby}.|Happy {day}! How is it going?"
        ),
        split_row("{Hello}! {Feel}, and {feel}. {Praise}. {Turn}?|{Hello}, {feel}! {Praise}. {Turn}?"),
    ),
    "cheer": (
        split_row(
            "I am nervous about {task} on {day}.|{name} tells me not to worry about {task}, but I do.|"
            "Tomorrow at {time} is {task} and I am afraid.|{Friend} says {task} is hard. I worry."
        ),
        split_row(
            "{Cheer}, and {cheer}. About {task}: {calm}. {Luck}!|"
            "It is of course {very} normal to think about {task}, but {cheer}. {Cheer}. {Luck}!|"
            "No problem is too big: {cheer}. For {task}, {calm}, and {luck}!"
        ),
    ),
    "meeting": (
        split_row(
            "Can we meet on {day} at {time}?|Please plan a meeting with {name} on {day} at {time}.|"
            "Are you free on {day} at {time} to talk about {task}?"
        ),
        split_row(
            "{Ok}! {Day} at {time} {meet}. {Place}, and {ready}. {Bye}!|"
            "{Ok}, {day} at {time} {meet}. {Place}. {Ready}.|"
            "{Day} {meet}, and {time} {meet}. {Place}, and {ready}."
        ),
    ),
    "cooking": (
        split_row(
            "How do I cook {food} for {friend}?|Do you have a tip for cooking {food} on {day}?|"
            "{name} wants to learn how to cook {food}. Where do we begin?"
        ),
        split_row(
            "{Ok}! For {food}, {cook} and {cook}. {Serve}, and {serve}.|"
            "{Ok}! With {food}, {cook}. {Then} {cook}. {Serve}. {Bye}!"
        ),
    ),
    "hobby": (
        split_row(
            "I want to start {hobby} with {friend}.|How do I begin with {hobby} in {city}?|"
            "{name} asked me to try {hobby} on {day}. Any tips?"
        ),
        split_row(
            "{Ok}! To begin with {hobby}, {start} and {start}. {Stepwhy}, and {stepwhy}.|"
            "{Ok}! If you try {hobby}, {start}. {Then} {start}: {stepwhy}. {Bye}!"
        ),
    ),
}
