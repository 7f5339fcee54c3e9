const list = document.getElementById("prices");

fetch("/api/prices").then((response) => response.json()).then((prices) => {
    for (const { name, price } of prices) {
        const line = document.createElement("li");
        line.textContent = `${name}: ${price}`;
        list.append(line);
    }
    list.dataset.isComplete = "yes";
});
